// The wall: one stream carries all cameras' pictures; what is not live is dimmed and says since when.
import { Icon, Panel, Toasts, filled, typing } from "/assets/panel.js";
import { Missing } from "/assets/missing.js";

const DEAF_MS = 3500; // states come once a second: after three missing ones nothing here is live

export default {
  mixins: [Panel],
  components: { Icon, Missing, Toasts },
  data() {
    return { large: this.start.cameras.some((one) => one.name === this.start.large) ? this.start.large : "", states: {}, names: {}, heads: {}, boxes: true, zones: true, heardAt: 0, loud: false, still: null };
  },
  computed: {
    shown() { return this.large ? this.start.cameras.filter((one) => one.name === this.large) : this.start.cameras; },
    deaf() { return !this.heardAt || this.clock - this.heardAt > DEAF_MS; },
    columns() { const n = this.start.cameras.length; return this.large ? 1 : n <= 1 ? 1 : n <= 4 ? 2 : n <= 9 ? 3 : n <= 16 ? 4 : n <= 25 ? 5 : 6; },
  },
  mounted() {
    this.onKey = (event) => this.key(event);
    addEventListener("keydown", this.onKey);
    this.connect();
  },
  unmounted() { removeEventListener("keydown", this.onKey); this.gone = true; this.abort?.abort(); },
  methods: {
    async connect() {
      while (!this.gone) {
        try { await this.listen(); } catch { /* the connection ended: again below; the wall shows it as not live meanwhile */ }
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    },
    async listen() {
      this.abort = new AbortController();
      const answer = await fetch("/live/stream" + (this.large ? "?camera=" + encodeURIComponent(this.large) : ""), { signal: this.abort.signal });
      if (!answer.ok) throw new Error(answer.status);
      const reader = answer.body.getReader();
      let held = new Uint8Array(0);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const joined = new Uint8Array(held.length + value.length);
        joined.set(held); joined.set(value, held.length); held = joined;
        for (;;) {
          if (held.length < 8) break;
          const view = new DataView(held.buffer, held.byteOffset), text = view.getUint32(0), jpeg = view.getUint32(4);
          if (held.length < 8 + text + jpeg) break;
          const head = JSON.parse(new TextDecoder().decode(held.subarray(8, 8 + text)));
          const picture = held.slice(8 + text, 8 + text + jpeg);
          held = held.slice(8 + text + jpeg);
          head.states ? this.told(head) : await this.draw(head, picture);
        }
      }
    },
    told(head) { this.offset = head.now_ms - Date.now(); this.heardAt = this.now(); this.clock = this.now(); this.states = head.states; this.names = head.names; },
    async draw(head, jpeg) {
      if (jpeg.length) {
        const canvas = document.getElementById("picture-" + head.camera);
        if (!canvas) return;
        const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        if (canvas.width !== picture.width) canvas.width = picture.width;
        if (canvas.height !== picture.height) canvas.height = picture.height;
        canvas.getContext("2d").drawImage(picture, 0, 0);
        picture.close();
        canvas.dataset.drawn = String(1 + Number(canvas.dataset.drawn ?? 0));
      }
      this.heads = { ...this.heads, [head.camera]: head };
    },
    who(box) { return { identified: this.names[box.person] ?? this.t.known, unknown: this.t.unknown }[box.decision] ?? box.label; },
    standing(name) { return this.deaf ? "cut" : this.states[name]?.standing ?? "waiting"; },
    live(name) { return this.standing(name) === "live"; },
    note(name) {
      const state = this.states[name], standing = this.standing(name);
      const since = state?.picture_at_ms ? " " + this.filled(this.t.last_picture, { time: this.at(state.picture_at_ms, "stamp") }) : "";
      return this.t["standing_" + standing] + (standing === "down" && state.reason ? ` (${state.reason})` : "") + (standing === "waiting" ? "" : since);
    },
    age(name) { const state = this.states[name]; return state?.picture_at_ms ? this.lasting(state.age_ms + Math.max(0, this.clock - this.heardAt)) : "–"; },
    /** How late decisions come, where that is so late that boxes and alerts can't be of this picture. */
    late(name) { const delay = this.states[name]?.delay_ms; return delay > this.start.late_ms ? this.filled(this.t.late, { time: this.delayed(delay) }) : ""; },
    choose(name) {
      this.large = name; this.heads = {}; this.heardAt = this.now();
      history.replaceState(history.state, "", location.pathname + (name ? "?camera=" + encodeURIComponent(name) : ""));
      this.abort?.abort();
      this.$nextTick(() => document.querySelector(name ? ".tile.large" : ".tile")?.focus());
    },
    /** Something is in the picture of now that nobody says: it is held still for a box. */
    async askMissed() {
      const head = this.heads[this.large], canvas = document.getElementById("picture-" + this.large);
      if (!this.me.may_answer || head?.offset == null || !canvas || !this.live(this.large)) return;
      const { camera, captured_at_ms, width, height, partition, offset } = head;
      const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
      this.still = { about: { camera, captured_at_ms, width, height, partition, offset }, picture: URL.createObjectURL(jpeg) };
    },
    async missed(box) {
      const { about, picture } = this.still;
      this.still = null;
      URL.revokeObjectURL(picture);
      if (!box) return;
      await this.call("missed", { still: about, box });
      this.say(filled(this.t.missing_done, { label: box.label }));
    },
    key(event) {
      if (typing(event)) return;
      const names = this.start.cameras.map((one) => one.name), place = names.indexOf(this.large);
      if (event.key === "Escape" && this.large) this.choose("");
      else if (this.large && ["ArrowRight", "j"].includes(event.key)) this.choose(names[(place + 1) % names.length]);
      else if (this.large && ["ArrowLeft", "k"].includes(event.key)) this.choose(names[(place + names.length - 1) % names.length]);
      else if (event.key === "o") this.boxes = !this.boxes;
      else if (event.key === "z") this.zones = !this.zones;
      else if (event.key === "b" && this.large) this.askMissed();
      else return;
      event.preventDefault();
    },
    points(list, head) { return list.map(([x, y]) => `${x * head.width},${y * head.height}`).join(" "); },
    facts(name) {
      const state = this.states[name] ?? {}, counters = state.counters ?? {};
      const dropped = Object.entries(counters.dropped ?? {}).map(([why, n]) => `${n} ${why.replaceAll("_", " ")}`).join(", ");
      return [["fact_state", this.note(name)], ["fact_delay", this.age(name)], ["fact_decided", this.delayed(state.delay_ms)], ["fact_picture", state.picture_at_ms ? this.at(state.picture_at_ms, "full") : ""], ["fact_size", state.size], ["fact_captured", state.captured_fps?.toFixed(1) + " / s"], ["fact_sent", state.sent_fps?.toFixed(1) + " / s"],
        ["fact_tamper", state.tamper?.map((one) => this.t["tamper_" + one]).join(", ") || this.t.none], ["fact_counts", this.filled(this.t.counts, { captured: counters.captured ?? 0, sent: counters.sent ?? 0, gated: counters.gated ?? 0 })], ["fact_dropped", dropped || "0"], ["fact_spool", `${((state.spool_bytes ?? 0) / 1e6).toFixed(1)} MB`], ["fact_clock", state.clock_offset_ms == null ? "–" : `${state.clock_offset_ms} ms`], ["fact_agent", state.agent]];
    },
  },
  template: `
<div class="live">
  <div class="livebar"><h1>{{ large ? start.cameras.find((one) => one.name === large).title : t.title }}</h1><span class="dim" v-if="!large">{{ start.cameras.length }} {{ t.cameras }}</span><span class="grow"></span>
    <button v-if="large" class="button small" @click="choose('')">{{ t.wall }} <kbd>Esc</kbd></button>
    <button v-if="large && me.may_answer" class="button small" :disabled="!live(large)" @click="askMissed">{{ t.missing }} <kbd>b</kbd></button>
    <button class="button small" :aria-pressed="boxes" @click="boxes = !boxes">{{ t.boxes }} <kbd>o</kbd></button><button class="button small" :aria-pressed="zones" @click="zones = !zones">{{ t.zones }} <kbd>z</kbd></button></div>
  <div :class="['wall', { one: large }]" :style="{ '--columns': columns }">
    <component :is="large ? 'div' : 'button'" v-for="camera in shown" :key="camera.name" :class="['tile', { large, stale: !live(camera.name) }]" :data-camera="camera.name" :aria-label="camera.title + ': ' + note(camera.name)" :tabindex="large ? -1 : null" :role="large ? 'group' : null" @click="!large && choose(camera.name)">
      <span class="screen"><canvas :id="'picture-' + camera.name" width="640" height="360" aria-hidden="true"></canvas>
        <svg v-if="heads[camera.name]" class="marks" :viewBox="'0 0 ' + heads[camera.name].width + ' ' + heads[camera.name].height" preserveAspectRatio="xMidYMid meet" aria-hidden="true">
          <template v-if="zones"><polygon v-for="zone in camera.zones" :key="zone.name" class="zone" :points="points(zone.points, heads[camera.name])"/><polyline v-for="line in camera.lines" :key="line.name" class="zone line" :points="points(line.points, heads[camera.name])"/></template>
          <template v-if="boxes && live(camera.name)"><g v-for="box in heads[camera.name].boxes" :key="box.id"><rect :class="['mark', box.decision, { still: box.still, guessed: !box.seen }]" :x="box.xyxy[0]" :y="box.xyxy[1]" :width="Math.max(0, box.xyxy[2] - box.xyxy[0])" :height="Math.max(0, box.xyxy[3] - box.xyxy[1])"/>
            <text :x="box.xyxy[0]" :y="Math.max(box.xyxy[1] - heads[camera.name].height / 120, heads[camera.name].height / 30)" :font-size="heads[camera.name].height / 32">{{ who(box) }} {{ box.id }}</text></g></template></svg>
        <span v-if="!live(camera.name)" class="notlive"><b>{{ t.not_live }}</b>{{ note(camera.name) }}</span></span>
      <span v-if="!large" class="caption"><span :class="['dot', live(camera.name) ? 'good' : standing(camera.name) === 'waiting' ? 'warn' : 'bad']"></span><b>{{ camera.title }}</b><span v-for="one in states[camera.name]?.tamper || []" :key="one" class="badge bad">{{ t['tamper_' + one] }}</span><span v-if="live(camera.name) && late(camera.name)" class="badge warn">{{ late(camera.name) }}</span><span class="grow"></span><span class="dim">{{ states[camera.name]?.sent_fps?.toFixed(1) ?? '–' }} {{ t.fps }} · {{ age(camera.name) }}</span></span>
    </component>
    <aside v-if="large" class="card"><h2>{{ t.state }}</h2><dl class="values"><template v-for="[name, value] in facts(large)" :key="name"><dt>{{ t[name] }}</dt><dd>{{ value || '–' }}</dd></template></dl></aside>
    <div v-if="!start.cameras.length" class="empty"><h2>{{ t.no_cameras }}</h2></div>
  </div>
  <Missing v-if="still" :picture="still.picture" :labels="start.labels.map((one) => ({ value: one, label: one }))" :t="t" @done="missed" />
  <Toasts :toasts="toasts" />
</div>`,
};
