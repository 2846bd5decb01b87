// Agents: who reads which cameras; of those outside how long certificates last, one-time tokens, and taking one out.
import { Icon, Panel, Toasts } from "/assets/panel.js";

const EVERY_MS = 5000;
/** Certificates are renewed after half of their life: with a quarter left that has failed for long. */
const LATE_SHARE = 0.25;
/** Each says once a second how its cameras are. */
const SILENT_MS = 10000;
/** Of many cameras so many are named. */
const NAMED = 5;

export default {
  mixins: [Panel],
  components: { Icon, Toasts },
  data() { return { agents: this.start.agents, readers: this.start.readers, fresh: null, given: null, leaving: null }; },
  mounted() { this.polling = setInterval(() => this.look(), EVERY_MS); },
  unmounted() { clearInterval(this.polling); },
  computed: {
    /** Cameras that nobody reads, and those that several read at once. */
    unread() { return Object.keys(this.readers).filter((camera) => !this.readers[camera].length); },
    twice() { return Object.keys(this.readers).filter((camera) => this.readers[camera].length > 1).map((camera) => `${camera} (${this.readers[camera].join(", ")})`); },
    /** Whether who the token is for has come with it, while it is still shown. */
    came() { return this.given && this.agents.some((one) => one.name === this.given.agent && one.enrolled_at_ms >= this.given.at_ms); },
  },
  methods: {
    async look() {
      try { this.take(await this.call("look", {}, { shows: false })); } catch { /* the bar says that the console is away */ }
    },
    take({ agents, readers }) { this.agents = agents; this.readers = readers; },
    begin(agent) { this.fresh = { agent: agent.name, again: agent.enrolled_at_ms > 0, valid_s: this.start.valid_s[1] }; this.$nextTick(() => this.$refs.dialog.showModal()); },
    async make() {
      const { agent, valid_s } = this.fresh, at_ms = this.now();
      const answer = await this.call("token", { agent, valid_s });
      this.take(answer);
      this.$refs.dialog.close();
      this.given = { agent, at_ms, commands: answer.commands, until_ms: this.one(agent).token_until_ms };
      this.$nextTick(() => this.$refs.given.showModal());
    },
    async takeBack(one) {
      this.take(await this.call("take_back", { agent: one.name }));
      this.say(this.filled(this.t.taken_back, { agent: one.name }));
    },
    ask(agent) { this.leaving = agent; this.$nextTick(() => this.$refs.leaving.showModal()); },
    async revoke() {
      const agent = this.leaving.name;
      this.take(await this.call("revoke", { agent }));
      this.$refs.leaving.close();
      this.say(this.filled(this.t.revoked, { agent }));
    },
    one(name) { return this.agents.find((one) => one.name === name); },
    ended(one) { return one.expires_at_ms <= this.clock; },
    few(cameras) {
      const named = cameras.slice(0, NAMED).join(", ");
      return cameras.length > NAMED ? this.filled(this.t.and_more, { cameras: named, count: cameras.length - NAMED }) : named;
    },
    speaks(one) { return this.clock - one.heard_at_ms < SILENT_MS; },
    missing(one) { return one.cameras.filter((camera) => !one.reads.includes(camera)); },
    /** One beside the broker needs no certificate: it is well while it speaks. */
    state(one) {
      if (!one.named && !one.enrolled_at_ms) return this.speaks(one) ? "here" : "away";
      if (!one.named) return "unnamed";
      if (one.revoked_at_ms) return "revoked";
      if (!one.enrolled_at_ms) return "new";
      if (this.ended(one)) return "ended";
      return one.expires_at_ms - this.clock < LATE_SHARE * (one.expires_at_ms - one.renewed_at_ms) ? "late" : "well";
    },
    left(one) { return this.ended(one) ? this.t.over : this.filled(this.t.left, { time: this.lasting(one.expires_at_ms - this.clock) }); },
    outAt(one) { return this.filled(this.ended(one) ? this.t.out_already : this.t.out_at, { time: this.at(one.expires_at_ms, "full"), left: this.left(one) }); },
  },
  template: `
<div class="page">
  <header><h1>{{ t.title }}</h1></header>
  <p v-if="unread.length" class="note bad" role="status">{{ filled(t.unread, { cameras: few(unread) }) }}</p>
  <p v-if="twice.length" class="note warn" role="status">{{ filled(t.twice, { cameras: few(twice) }) }}</p>
  <p class="dim">{{ t.about }}</p>
  <section v-if="agents.length" class="card scroll" tabindex="0" role="region" :aria-label="t.title"><table class="table agents"><thead><tr><th scope="col">{{ t.agent }}</th><th scope="col">{{ t.state }}</th><th scope="col">{{ t.cameras }}</th><th scope="col">{{ t.ends }}</th><th scope="col">{{ t.renewed }}</th><th scope="col">{{ t.version }}</th><th scope="col">{{ t.address }}</th><th scope="col"><span class="sr">{{ t.actions }}</span></th></tr></thead>
    <tbody><tr v-for="one in agents" :key="one.name"><td><b>{{ one.name }}</b></td>
      <td class="how"><span :class="['badge', { well: 'good', here: 'good', away: 'bad', late: 'warn', ended: 'bad', revoked: 'bad', unnamed: 'warn' }[state(one)]]">{{ t['state_' + state(one)] }}</span><div v-if="t['about_' + state(one)]" class="hint">{{ t['about_' + state(one)] }}</div><div v-if="one.token_until_ms > clock" class="hint">{{ filled(t.token_until, { time: at(one.token_until_ms, 'stamp') }) }} <button class="button small quiet" :aria-label="t.take_back + ' ' + one.name" @click="takeBack(one)">{{ t.take_back }}</button></div></td>
      <td class="how">{{ few(one.reads) || '–' }}<div v-if="missing(one).length" class="hint bad">{{ filled(t.missing, { cameras: few(missing(one)) }) }}</div><div v-if="!speaks(one) && (one.cameras.length || one.heard_at_ms)" class="hint">{{ one.heard_at_ms ? filled(t.heard_at, { time: at(one.heard_at_ms, 'stamp') }) : t.never_heard }}</div></td>
      <td>{{ at(one.expires_at_ms, 'stamp') }}<div v-if="one.expires_at_ms" :class="['hint', state(one) === 'late' || state(one) === 'ended' ? 'bad' : 'dim']">{{ left(one) }}</div></td>
      <td>{{ at(one.renewed_at_ms, 'stamp') }}<div v-if="one.enrolled_at_ms" class="hint dim">{{ filled(t.enrolled_at, { time: at(one.enrolled_at_ms, 'stamp') }) }}</div></td>
      <td>{{ one.runs || one.version || '–' }}</td><td>{{ one.address || '–' }}</td>
      <td><span class="acts"><button v-if="start.enrols && one.named" class="button small" :aria-label="t.token + ' ' + one.name" @click="begin(one)"><Icon name="plus"/>{{ t.token }}</button><button v-if="one.enrolled_at_ms && !one.revoked_at_ms" class="button small danger" :aria-label="t.revoke + ' ' + one.name" @click="ask(one)">{{ t.revoke }}</button></span></td></tr></tbody></table></section>
  <section v-if="!start.enrols || !start.named.length" class="card note stack"><p>{{ start.enrols ? t.none_named : t.off }}</p><pre class="mono">{{ start.setting }}</pre></section>
  <dialog ref="dialog" :aria-label="t.token" @close="fresh = null"><form v-if="fresh" @submit.prevent="make"><h2>{{ filled(t.token_for, { agent: fresh.agent }) }}</h2>
    <p class="dim">{{ t.token_hint }}</p><p v-if="fresh.again" class="note warn">{{ t.token_again }}</p>
    <label class="field">{{ t.good_for }}<select v-model.number="fresh.valid_s"><option v-for="valid_s in start.valid_s" :key="valid_s" :value="valid_s">{{ t['valid_' + valid_s] }}</option></select></label>
    <div class="actions"><button type="button" class="button" @click="$refs.dialog.close()">{{ t.cancel }}</button><button class="button primary">{{ t.make }}</button></div></form></dialog>
  <dialog ref="given" class="given" :aria-label="t.given" @close="given = null"><div v-if="given"><h2>{{ filled(t.given_for, { agent: given.agent }) }}</h2>
    <p class="dim">{{ filled(t.given_hint, { time: at(given.until_ms, 'full') }) }}</p>
    <textarea ref="commands" readonly rows="5" wrap="soft" spellcheck="false" class="mono" :value="given.commands" :aria-label="t.commands" @focus="$event.target.select()"></textarea>
    <p role="status" :class="came ? 'good' : 'dim'">{{ filled(came ? t.came : t.awaited, { agent: given.agent }) }}</p>
    <div class="actions"><button class="button" @click="copy($refs.commands)">{{ t.copy }}</button><button class="button primary" @click="$refs.given.close()">{{ t.close }}</button></div></div></dialog>
  <dialog ref="leaving" :aria-label="t.revoke" @close="leaving = null"><div v-if="leaving"><h2>{{ filled(t.revoke_sure, { agent: leaving.name }) }}</h2>
    <ul class="follows"><li>{{ outAt(leaving) }}</li><li>{{ t.out_once }}</li><li>{{ t.out_void }}</li><li>{{ t.out_passwords }}</li></ul>
    <div class="actions"><button class="button" @click="$refs.leaving.close()">{{ t.cancel }}</button><button class="button danger" @click="revoke">{{ t.revoke }}</button></div></div></dialog>
  <Toasts :toasts="toasts" />
</div>`,
};
