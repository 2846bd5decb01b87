// One alert, opened: what, where, who, how sure, why; what was done about it; and the buttons to answer.
import { Icon, at, lasting, percent, filled } from "/assets/panel.js";
import { Identity } from "/assets/identity.js";
import { Overlay } from "/assets/overlay.js";
import { verdictOf } from "/assets/row.js";

export const Detail = {
  props: { d: Object, row: Object, t: Object, zone: String, me: Object, clock: Number, seeing: Array },
  emits: ["act", "do", "close", "lift", "told"],
  components: { Icon, Identity, Overlay },
  data: () => ({ drawn: true, zoomed: false, heated: "", alike: [], size: null, failed: false, wide: false }),
  watch: { "d.frame"() { this.failed = false; }, "d.id"() { this.zoomed = false; this.heated = ""; this.size = null; this.failed = false; this.$el.parentElement?.scrollTo(0, 0); } },
  computed: {
    state() { return this.row ?? this.d; },
    isQuestion() { return this.d.kind === "question"; },
    verdicts() {
      const answers = this.isQuestion ? [["t", "true"], ["f", "false"]] : [["t", "true"], ["f", "false"], ["n", "nuisance"]];
      return answers.map(([key, value]) => ({ key, value, text: this.isQuestion ? this.t["verdict_question_" + value] : this.t["key_" + key] }));
    },
    others() { return this.seeing.filter((name) => name !== this.me.name); },
    /** The picture enlarged so that the box fills half of it. */
    zoom() {
      const box = this.d.evidence?.xyxy;
      if (!this.zoomed || !box) return {};
      const { width, height } = this.d.evidence, scale = Math.min(5, Math.max(1.5, 0.5 / Math.max((box[2] - box[0]) / width, (box[3] - box[1]) / height)));
      const shift = (low, high, whole) => { const middle = (low + high) / 2 / whole; return Math.min(0, Math.max(1 - scale, 0.5 - middle * scale)) * 100; };
      return { transformOrigin: "0 0", transform: `translate(${shift(box[0], box[2], width)}%, ${shift(box[1], box[3], height)}%) scale(${scale})` };
    },
    lasted() { return (this.d.ended_at_ms || Math.max(this.d.at_ms, this.d.state === "end" ? 0 : this.clock)) - this.d.started_at_ms; },
  },
  methods: {
    at(ms, style = "time") { return at(ms, this.zone, style); }, lasting, percent, filled, verdictOf,
    toggleOverlay() { this.drawn = !this.drawn; }, toggleZoom() { this.zoomed = !this.zoomed; },
    /** Where the model saw it: made on demand, which takes seconds; the picture stays until it is there. */
    async explain() {
      if (this.heated) { this.heated = ""; return; }
      const path = this.d.heat;
      this.heated = "making";
      const answer = await fetch(path).catch(() => null);
      if (this.d.heat !== path || !this.heated) return;
      const said = await answer?.json().catch(() => null);
      this.heated = (answer?.ok && said?.heat) || "";
      this.alike = said?.alike ?? [];
      if (!this.heated) this.$emit("told", said?.detail ?? this.t.heat_failed);
    },
    loaded(event) { this.size = [event.target.naturalWidth, event.target.naturalHeight]; this.failed = false; },
  },
  template: `
<div>
<div class="answerbar" role="toolbar" :aria-label="t.answers">
  <button class="button narrow" @click="$emit('close')">{{ t.back }}</button>
  <button :class="['button', state.status === 'open' ? 'primary' : '']" :disabled="!me.may_answer || state.status !== 'open'" @click="$emit('act', 'a')">{{ t.key_a }} <kbd>a</kbd></button><span class="sep"></span>
  <button v-for="{ key, value, text } in verdicts" :key="key" :class="['button', value]" :aria-pressed="state.verdict === value" :disabled="!me.may_answer" @click="$emit('act', key)">{{ text }} <kbd>{{ key }}</kbd></button><span class="sep"></span>
  <button v-for="key in ['c', 'm', 'e', 's']" :key="key" class="button" :disabled="!me.may_answer" @click="$emit('act', key)">{{ t['key_' + key] }} <kbd>{{ key }}</kbd></button>
</div>
<article class="wide">
  <header class="headline">
    <div class="row"><span :class="['sev', d.severity]">{{ t['severity_' + d.severity] }}</span>
      <span v-if="state.verdict" :class="['badge', state.verdict === 'true' ? 'good' : 'bad']">{{ verdictOf({ kind: d.kind, verdict: state.verdict }, t) }}</span><span v-else :class="['badge', state.status === 'open' ? 'warn' : 'accent']">{{ t['status_' + state.status] }}</span>
      <span v-if="d.state !== 'end'" class="badge good">{{ t.ongoing }}</span><span v-if="d.late" class="badge warn" :title="t.late_hint">{{ t.late }}</span><span v-if="state.escalated_at_ms" class="badge bad">{{ t.escalated }}</span><span v-if="state.assigned_to" class="badge">→ {{ state.assigned_to }}</span><span v-for="who in others" :key="who" class="badge accent"><span class="avatar" style="width:16px;height:16px;font-size:9px" aria-hidden="true">{{ who[0] }}</span>{{ filled(t.also_here, { who }) }}</span></div>
    <h1>{{ d.why }}</h1>
    <p class="facts"><span><b>{{ d.camera_name }}</b><template v-if="d.zone"> · {{ d.zone }}</template></span><span><b>{{ at(d.started_at_ms, 'full') }}</b> · {{ filled(t.ago, { time: lasting(clock - d.started_at_ms) }) }}</span>
      <span v-if="!isQuestion">{{ d.state === 'end' ? filled(t.lasted, { time: lasting(lasted) }) : filled(t.lasting, { time: lasting(lasted) }) }}</span>
      <span v-if="d.evidence && d.evidence.xyxy">{{ d.label }} <b>{{ percent(d.evidence.confidence) }}</b> <span class="meter" aria-hidden="true"><i :style="{ width: d.evidence.confidence * 100 + '%' }"></i></span></span></p>
  </header>
  <div class="stack" style="gap:14px">
    <div v-if="d.silence" class="note silence" role="status"><span>{{ filled(t.silenced, { until: at(d.silence.until_ms, 'full'), hours: d.silence.hours, model: d.silence.model }) }}</span> <button v-if="me.may_configure" class="button small" @click="$emit('lift', d.silence.id)">{{ t.silence_lift }}</button></div>
    <div v-if="d.instructions" class="instructions"><h3>{{ t.instructions }}</h3>{{ d.instructions }}</div>
    <Identity v-if="d.identity" :one="d.identity" :alert="d.id" :t="t" @act="(key) => $emit('act', key)"/>
    <div class="films"><figure class="picture" :style="{ '--ratio': size ? size[0] / size[1] : 1.6 }"><div class="zoomer" :style="zoom">
        <img v-if="d.frame && !failed" :key="d.frame" :src="heated.startsWith('data:') ? heated : d.frame" :alt="d.spoken" @load="loaded" @error="failed = true">
        <Overlay v-if="drawn && d.evidence && size && !failed" :d="d" :width="d.evidence.width" :height="d.evidence.height"/></div>
      <p v-if="!d.frame || failed" class="missing">{{ d.missed || t.no_picture }}</p>
      <div v-if="size && !failed" class="tools"><button class="button small" :aria-pressed="drawn" @click="toggleOverlay">{{ t.overlay }} <kbd>o</kbd></button><button v-if="d.evidence && d.evidence.xyxy" class="button small" :aria-pressed="zoomed" @click="toggleZoom">{{ t.zoom }} <kbd>z</kbd></button><button v-if="d.heat" class="button small" :aria-pressed="!!heated" :aria-busy="heated === 'making'" @click="explain">{{ heated === 'making' ? t.heat_making : t.heat }} <kbd>w</kbd></button><button v-if="d.frame && me.may_answer" class="button small" @click="$emit('act', 'b')">{{ t.missing }} <kbd>b</kbd></button></div>
    </figure>
    <figure :class="['clip', d.clip.path ? '' : 'none']"><video v-if="d.clip.path" :key="d.clip.path" :src="d.clip.path" :poster="d.frame || null" :aria-label="filled(t.clip_of, { why: d.why })" controls muted playsinline preload="auto"></video>
      <figcaption :role="d.clip.path ? null : 'status'">{{ d.clip.said }}</figcaption></figure></div>
    <section v-if="heated.startsWith('data:') && alike.length" class="alike" :aria-label="t.alike"><h3>{{ t.alike }}</h3><ul><li v-for="one in alike" :key="one.picture"><img :src="one.jpeg" alt=""><span><b>{{ one.label }}</b> {{ filled(t['alike_' + one.kind], { by: one.by }) }}</span><span class="dim">{{ one.camera_name }}, {{ at(one.captured_at_ms, 'full') }} · {{ percent(one.likeness) }}</span></li></ul></section>
    <p v-if="d.evidence" class="dim" style="font-size:12.5px">{{ filled(t.taken, { time: at(d.evidence.captured_at_ms, 'full'), width: d.evidence.width, height: d.evidence.height }) }}</p>
  </div>
  <div class="columns">
    <section v-if="d.trace.length" class="card"><h2>{{ t.why_values }}</h2><table class="table trace"><thead><tr><th scope="col">{{ t.condition }}</th><th scope="col">{{ t.wanted }}</th><th scope="col">{{ t.got }}</th></tr></thead>
      <tbody><tr v-for="one in d.trace" :key="one.name"><td>{{ one.name }}</td><td>{{ one.wanted }}</td><td :class="['got', one.met ? 'good' : 'bad']">{{ one.got }}<span class="sr">{{ one.met ? t.met : t.not_met }}</span></td></tr></tbody></table></section>
    <section class="card"><h2>{{ t.history }}</h2><ol class="history"><li v-for="(one, i) in d.history" :key="i"><time>{{ at(one.at_ms) }}</time><span><b v-if="one.who">{{ one.who }}</b>{{ (one.who ? ' ' : '') + one.text }}<q v-if="one.words">{{ one.words }}</q></span></li></ol></section>
    <section class="card"><h2>{{ t.evidence }}</h2><p class="dim">{{ t.evidence_hint }}</p>
      <ul v-if="d.cases.length" class="cases"><li v-for="one in d.cases" :key="one"><span class="badge accent">{{ filled(t.held, { case: one }) }}</span><button v-if="me.may_hold" class="button small" :aria-label="filled(t.release_of, { case: one })" @click="$emit('do', { action: 'release', case: one })">{{ t.release }}</button></li></ul>
      <div class="row"><button v-if="me.may_hold" class="button" @click="$emit('act', 'h')">{{ t.hold }} <kbd>h</kbd></button><a v-if="me.may_export" class="button" :href="d.bundle" download>{{ t.export }}</a><span v-else class="dim">{{ t.export_may_not }}</span></div></section>
    <section class="card"><h2>{{ t.versions }}</h2><dl class="values"><template v-for="[name, value] in d.versions" :key="name"><dt>{{ name }}</dt><dd class="mono">{{ value || '–' }}</dd></template></dl></section>
  </div>
</article>
</div>`,
};
