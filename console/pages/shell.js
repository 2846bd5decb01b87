// The bar above every page: navigation, whether the site is armed, the site's time, theme and account.
import { Icon, Panel, Toasts } from "/assets/panel.js";

/** Room for the button of what doesn't fit, with the longest page's name on it. */
const MORE_PX = 160;

export default {
  mixins: [Panel],
  components: { Icon, Toasts },
  data() { return { open: false, theme: document.documentElement.dataset.theme, status: this.start.status, fits: this.start.links.length }; },
  mounted() {
    this.polling = setInterval(() => this.look(), 5000);
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.$refs.nav);
    this.fit();
  },
  unmounted() { clearInterval(this.polling); this.resizing.disconnect(); },
  computed: {
    rest() { return this.start.links.slice(this.fits); },
    restHere() { return this.rest.find((link) => link.here); },
    arming() { return this.status?.arming; },
    armed() { return !this.arming ? "" : this.arming.maintenance ? "maintenance" : !this.arming.armed ? "disarmed" : this.arming.schedule.length ? "scheduled" : "armed"; },
  },
  methods: {
    async look() {
      try { this.status = await this.call("status"); }
      catch (error) { if (error.message === this.t.ended) location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search)); }
    },
    /** As many pages as the bar has room for stand side by side, the others under "More", which needs room of its own. */
    fit() {
      const widths = [...this.$refs.nav.querySelectorAll(":scope > a")].map((link) => link.offsetWidth + 2), room = this.$refs.nav.clientWidth;
      const whole = widths.reduce((sum, width) => sum + width, 0) <= room;
      let left = room - MORE_PX;
      this.fits = whole ? widths.length : widths.filter((width) => (left -= width) >= 0).length;
    },
    setTheme() {
      this.theme = this.theme === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = this.theme;
      try { localStorage.setItem("vedette.theme", this.theme); } catch { /* private mode: for this page */ }
      dispatchEvent(new Event("vedette-theme"));
    },
    async arm(change) {
      this.status = { ...this.status, arming: await this.call("arm", change) };
      this.$refs.arming.removeAttribute("open");
    },
  },
  template: `
<header class="bar">
  <a class="skip" href="#content">{{ t.skip }}</a>
  <button class="iconbutton narrow" :aria-label="t.menu" :aria-expanded="open" @click="open = !open"><Icon name="menu"/></button>
  <a class="brand" href="/" :aria-label="t.product"><span v-html="start.mark" style="display:grid;width:24px" aria-hidden="true"></span><span class="wide">{{ t.product }}</span></a>
  <nav ref="nav" :class="{ open }" :aria-label="t.nav"><a v-for="(link, n) in start.links" :key="link.path" :href="link.path" :class="{ rest: n >= fits }" :aria-current="link.here ? 'page' : null">{{ link.text }}</a>
    <details v-if="rest.length" class="menu right more"><summary class="button small" :class="{ on: restHere }">{{ restHere ? restHere.text : t.more }}<Icon name="down" style="width:14px;height:14px"/></summary>
      <div class="drop"><a v-for="link in rest" :key="link.path" class="item" :href="link.path" :aria-current="link.here ? 'page' : null">{{ link.text }}</a></div></details></nav>
  <span class="grow narrow"></span>
  <span v-if="status && !status.broker" class="badge bad" role="alert"><span class="dot bad"></span>{{ t.broker_bad }}</span>
  <details v-if="arming" ref="arming" class="menu right"><summary class="button small"><span :class="['dot', armed === 'armed' || armed === 'scheduled' ? 'good' : 'warn']"></span>{{ t[armed] }}</summary>
    <div class="drop stack" style="width:280px"><p class="dim">{{ t.arm_hint }}</p>
      <button class="button" :disabled="!me.may_arm" @click="arm({ armed: !arming.armed, maintenance: arming.maintenance })">{{ arming.armed ? t.disarm : t.arm }}</button>
      <button class="button" :disabled="!me.may_arm" @click="arm({ armed: arming.armed, maintenance: !arming.maintenance })">{{ arming.maintenance ? t.maintenance_off : t.maintenance_on }}</button></div></details>
  <div class="clock wide"><b>{{ at(clock, 'time') }}</b><span>{{ start.site }} · {{ at(clock, 'day') }}</span></div>
  <button class="iconbutton" :aria-label="t.theme" :title="t.theme" @click="setTheme"><Icon :name="theme === 'dark' ? 'sun' : 'moon'"/></button>
  <details class="menu right"><summary class="iconbutton" :aria-label="t.account + ': ' + me.name" :title="me.name"><span class="avatar" aria-hidden="true">{{ me.name[0] }}</span></summary>
    <div class="drop stack"><div style="padding:4px 8px"><b>{{ me.name }}</b><div class="dim">{{ t['role_' + me.role] }}</div></div>
      <a class="item" href="/account">{{ t.own_link }}</a>
      <form method="post" action="/logout"><button class="item">{{ t.sign_out }}</button></form></div></details>
  <Toasts :toasts="toasts" />
</header>`,
};
