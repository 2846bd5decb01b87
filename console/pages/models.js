// Models: what is in service where, versions with their figures and gates, promotion and rollback.
import { Icon, Panel, Toasts } from "/assets/panel.js";

const EVERY_MS = 5000;

export default {
  mixins: [Panel],
  components: { Icon, Toasts },
  data() { return { seen: this.start.seen, chosen: null, wanted: null, going: null }; },
  computed: {
    slots() {
      const names = [...new Set([...Object.keys(this.seen.slots), ...Object.keys(this.seen.told), ...(this.seen.running.length ? ["detector"] : [])])];
      return names.sort().map((name) => ({ name, ...(this.seen.slots[name] ?? { in_service: "", candidate: null, before: [] }) }));
    },
    versions() { return [...this.seen.versions].reverse(); },
  },
  async mounted() {
    this.looking = setInterval(async () => { if (this.seen && !document.hidden && !this.wanted && !this.going) this.seen = await this.call("look"); }, EVERY_MS);
    if (this.start.version) await this.open(this.start.version);
  },
  unmounted() { clearInterval(this.looking); },
  methods: {
    id(one) { return `${one.manifest.name}@${one.manifest.version}`; },
    slotTitle(name) { return this.t["slot_" + name] ?? name; },
    serving(slot) { return slot.in_service || this.seen.told[slot.name] || this.seen.running[0]?.in_service || ""; },
    camera(name) { return this.start.cameras.find((one) => one.name === name)?.title ?? name; },
    names(cameras) { return cameras.length ? cameras.map(this.camera).join(", ") : this.t.all_cameras; },
    at_cameras(candidate) { return this.filled(this.t.at_cameras, { stage: this.t["stage_" + candidate.stage], cameras: this.names(candidate.cameras) }); },
    working(id) { return this.seen.running.filter((one) => one.in_service === id || one.candidate === id).length; },
    bad(slot) { return this.seen.running.filter((one) => one.state !== "ready" && [slot.in_service, slot.candidate?.model].includes(one.candidate || one.in_service)); },
    differences(candidate) { return this.seen.differences.filter((one) => one.candidate === candidate); },
    gate(one) { return [...one.decisions].reverse().find((decision) => decision.kind === "gated"); },
    gateWord(one) { const gate = this.gate(one); return gate ? (gate.passed ? "passed" : "refused") : "none"; },
    registered(one) { return one.decisions.find((decision) => decision.kind === "registered")?.at_ms; },
    where(id) {
      return this.slots.flatMap((slot) => slot.in_service === id ? [this.t.in_service] : slot.candidate?.model === id ? [this.at_cameras(slot.candidate)] : []).join(", ");
    },
    quality(one) {
      const found = Object.entries(one.manifest.metrics ?? {}).filter(([name]) => /mean_ap50|accuracy|f1/.test(name)).slice(0, 2);
      return (found.length ? found : Object.entries(one.manifest.metrics ?? {}).slice(0, 1)).map(([name, value]) => `${name} ${this.digits(value)}`).join(", ");
    },
    digits(value) { return typeof value === "number" ? value.toFixed(3) : "–"; },
    signed(value) { return (value >= 0 ? "+" : "") + value.toFixed(3); },
    async open(id) {
      this.chosen = await this.call("detail", { id });
      history.replaceState(null, "", `/models?version=${encodeURIComponent(id)}`);
      this.$nextTick(() => this.$refs.side?.focus());
    },
    close() {
      const id = this.id(this.chosen);
      this.chosen = null;
      history.replaceState(null, "", "/models");
      this.$nextTick(() => document.getElementById("version-" + id)?.focus());
    },
    /** The figures of the version that is looked at, beside those of what is in service. */
    metrics() {
      const own = this.chosen.manifest.metrics ?? {};
      const slot = this.slots.find((one) => one.name === this.chosen.decisions[0]?.slot);
      const other = this.seen.versions.find((one) => this.id(one) === slot?.in_service)?.manifest.metrics ?? {};
      return Object.keys(own).map((name) => ({ name, own: own[name], other: other[name] }));
    },
    decided(one) {
      const words = { verdict: this.t[one.passed ? "gate_passed" : "gate_refused"], stage: this.at_cameras({ stage: one.stage ?? "everywhere", cameras: one.cameras ?? [] }), instead: one.instead };
      return this.filled(this.t["decided_" + one.kind], words);
    },
    placeName(one) { return this.filled(one.camera ? this.t.place_name : this.t.everywhere_label, { label: one.label, camera: this.camera(one.camera) }); },
    isLost(one) { return this.chosen.figures.refusals.some((reason) => reason.of === "place" && reason.camera === one.camera && reason.label === one.label); },
    ask() {
      const gate = this.gate(this.chosen);
      this.wanted = { id: this.id(this.chosen), stage: "shadow", cameras: [], share: 0.25, why: "", forced: "", passed: Boolean(gate?.passed), reason: gate?.why || this.t.gate_missing };
      this.$nextTick(() => this.$refs.promote.showModal());
    },
    async promote() {
      const { passed, reason, ...wanted } = this.wanted;
      if (wanted.stage === "everywhere") wanted.cameras = [];
      this.seen = await this.call("promote", wanted);
      this.$refs.promote.close();
      this.say(this.filled(this.t.promoted, { id: wanted.id }));
      await this.open(wanted.id);
    },
    askBack(slot) {
      const going = slot.candidate?.model ?? slot.in_service;
      this.going = { slot: slot.name, model: going, trial: Boolean(slot.candidate), coming: slot.candidate ? slot.in_service : slot.before.at(-1), why: "" };
      this.$nextTick(() => this.$refs.back.showModal());
    },
    async back() {
      const { slot, model, why } = this.going;
      this.seen = await this.call("rollback", { slot, model, why });
      this.$refs.back.close();
      this.say(this.filled(this.t.rolled_back, { id: model }));
      if (this.chosen) await this.open(this.id(this.chosen));
    },
  },
  template: `
<div :class="['models', { open: chosen }]">
  <div class="page">
    <header><h1>{{ t.title }}</h1></header>
    <p v-if="start.error" class="note bad" role="alert">{{ start.error }}</p>
    <template v-if="seen">
      <section v-if="!seen.place" class="card off"><h2>{{ t.no_registry }}</h2><p>{{ t.no_registry_hint }}</p><pre>{{ start.setting }}</pre><p>{{ t.no_registry_next }}</p></section>
      <section class="card"><h2>{{ t.in_service }}</h2>
        <p v-if="!slots.length" class="dim">{{ t.nothing_told }}</p>
        <div class="slots"><article v-for="slot in slots" :key="slot.name" class="slot" :aria-label="slotTitle(slot.name)">
          <div class="stack"><h3>{{ slotTitle(slot.name) }}</h3><div class="figure">{{ serving(slot) || '–' }}</div>
            <p class="dim">{{ slot.in_service ? filled(t.since, { time: at(slot.since_ms, 'full') }) : t.of_config }}</p>
            <p v-if="working(serving(slot))" class="row"><span class="dot good"></span>{{ working(serving(slot)) === 1 ? t.one_process : filled(t.processes, { count: working(serving(slot)) }) }}</p>
            <p v-for="one in bad(slot)" :key="one.process" :class="['note', one.state === 'loading' ? '' : 'bad']">{{ filled(t['process_' + one.state], { process: one.process, model: one.candidate || one.in_service, reason: one.reason }) }}</p>
            <div v-if="!slot.candidate && slot.before.length && start.sees_all" class="row"><button class="button danger" @click="askBack(slot)"><Icon name="undo"/>{{ t.roll_back }}</button></div></div>
          <div v-if="slot.candidate" class="stack"><h3>{{ t.candidate }}</h3><div class="figure">{{ slot.candidate.model }} <small>{{ at_cameras(slot.candidate) }}</small></div>
            <p v-if="working(slot.candidate.model)" class="row"><span class="dot good"></span>{{ working(slot.candidate.model) === 1 ? t.one_process : filled(t.processes, { count: working(slot.candidate.model) }) }}</p>
            <p v-if="!differences(slot.candidate.model).length" class="dim">{{ t.no_differences }}</p>
            <div v-else class="scroll" tabindex="0" role="region" :aria-label="filled(t.differences, { candidate: slot.candidate.model, in_service: slot.in_service })"><table class="table"><thead><tr><th scope="col">{{ t.camera }}</th><th scope="col">{{ t.label }}</th><th scope="col" class="num">{{ t.frames }}</th><th scope="col" class="num">{{ t.boxes }}</th><th scope="col" class="num">{{ t.gained }}</th><th scope="col" class="num">{{ t.lost }}</th></tr></thead>
              <tbody><tr v-for="one in differences(slot.candidate.model)" :key="one.camera + one.label + one.in_service"><td>{{ camera(one.camera) }}</td><td>{{ one.label }}</td><td class="num">{{ one.frames.toLocaleString('en') }}</td><td class="num">{{ one.boxes }}</td><td class="num">{{ one.gained }}</td><td :class="['num', { warn: one.lost > one.boxes / 10 }]">{{ one.lost }}</td></tr></tbody></table></div>
            <div class="row"><button v-if="start.sees_all" class="button danger" @click="askBack(slot)"><Icon name="undo"/>{{ filled(t.take_back, { id: slot.candidate.model }) }}</button></div></div>
        </article></div></section>
      <section v-if="seen.place" class="card"><h2>{{ t.versions }}</h2>
        <p v-if="!versions.length" class="dim">{{ t.no_version }}</p>
        <div v-else class="scroll" tabindex="0" role="region" :aria-label="t.versions"><table class="table"><thead><tr><th scope="col">{{ t.version }}</th><th scope="col">{{ t.kind }}</th><th scope="col">{{ t.gate }}</th><th scope="col">{{ t.where }}</th><th scope="col">{{ t.quality }}</th><th scope="col">{{ t.registered }}</th></tr></thead>
          <tbody><tr v-for="one in versions" :key="id(one)" :class="{ chosen: chosen && id(chosen) === id(one) }"><td><button class="linklike" :id="'version-' + id(one)" :aria-label="filled(t.open, { id: id(one) })" @click="open(id(one))">{{ id(one) }}</button></td><td>{{ slotTitle(one.manifest.task) }}</td><td><span :class="['badge', { passed: 'good', refused: 'bad' }[gateWord(one)]]">{{ t['gate_' + gateWord(one)] }}</span></td><td>{{ where(id(one)) || '–' }}</td><td>{{ quality(one) || '–' }}</td><td class="once">{{ at(registered(one), 'stamp') }}</td></tr></tbody></table></div>
        <p class="dim mono">{{ seen.place }}</p></section>
    </template>
  </div>
  <aside v-if="chosen" ref="side" class="side" tabindex="-1" :aria-label="id(chosen)" @keydown.esc="close">
    <div class="row"><h2 class="grow">{{ id(chosen) }}</h2><span :class="['badge', { passed: 'good', refused: 'bad' }[gateWord(chosen)]]">{{ t.gate }}: {{ t['gate_' + gateWord(chosen)] }}</span><button class="iconbutton" :aria-label="t.close" @click="close"><Icon name="close"/></button></div>
    <div class="row" style="padding-bottom: 14px"><button class="button primary" :disabled="!gate(chosen)?.passed && !start.may_force" @click="ask">{{ t.promote }}</button><span v-if="where(id(chosen))" class="badge accent">{{ where(id(chosen)) }}</span><span v-if="!gate(chosen)?.passed && !start.may_force" class="dim">{{ filled(t.past_gate_not, { reason: gate(chosen)?.why || t.gate_missing }) }}</span></div>
    <section v-if="gate(chosen)"><h3>{{ t.report }}, {{ filled(t.against, { against: gate(chosen).against || '–' }) }}</h3>
      <template v-if="chosen.figures?.limits"><p v-for="one in chosen.figures.refusals" :key="one.text" class="note bad">{{ one.text }}</p><p v-for="one in chosen.figures.doubts" :key="one.text" class="note warn">{{ one.text }}</p><p v-if="!chosen.figures.refusals.length" class="note">{{ gate(chosen).why }}</p>
        <div v-if="chosen.figures.places.length" class="scroll" tabindex="0" role="region" :aria-label="t.report"><table class="table"><thead><tr><th scope="col">{{ t.place }}</th><th scope="col" class="num">{{ t.boxes }}</th><th scope="col" class="num">{{ t.before }}</th><th scope="col" class="num">{{ t.after }}</th><th scope="col" class="num">{{ t.change }}</th></tr></thead>
          <tbody><tr v-for="one in chosen.figures.places" :key="one.camera + '/' + one.label"><td>{{ placeName(one) }}</td><td class="num">{{ one.boxes }}</td><td class="num">{{ digits(one.before) }}</td><td class="num">{{ digits(one.after) }}</td><td :class="['num', { bad: isLost(one) }]">{{ signed(one.after - one.before) }}</td></tr></tbody></table></div>
        <p class="dim">{{ filled(t.ms, { before: chosen.figures.ms[0].toFixed(1), after: chosen.figures.ms[1].toFixed(1), error_before: digits(chosen.figures.calibration[0]), error_after: digits(chosen.figures.calibration[1]) }) }}</p></template>
      <pre v-else>{{ chosen.report }}</pre></section>
    <section><h3>{{ t.metrics }}</h3><p v-if="!metrics().length" class="dim">{{ t.no_metrics }}</p>
      <div v-else class="scroll" tabindex="0" role="region" :aria-label="t.metrics"><table class="table"><thead><tr><th scope="col">{{ t.metric }}</th><th scope="col" class="num">{{ t.this }}</th><th scope="col" class="num">{{ t.service }}</th></tr></thead><tbody><tr v-for="one in metrics()" :key="one.name"><td>{{ one.name }}</td><td class="num">{{ digits(one.own) }}</td><td class="num">{{ digits(one.other) }}</td></tr></tbody></table></div></section>
    <section><h3>{{ t.lineage }}</h3><dl class="values"><template v-if="chosen.manifest.lineage"><dt>{{ t.parent }}</dt><dd>{{ chosen.manifest.lineage.parent || '–' }}</dd><dt>{{ t.data }}</dt><dd>{{ chosen.manifest.lineage.data.map((one) => one.name + ' ' + one.sha256.slice(0, 12)).join(', ') || '–' }}</dd><dt>{{ t.code }}</dt><dd>{{ chosen.manifest.lineage.code || '–' }}</dd></template><dt>{{ t.recipe }}</dt><dd>{{ chosen.manifest.provenance.recipe || '–' }}</dd><dt>{{ t.licence }}</dt><dd>{{ chosen.manifest.provenance.licence }}</dd><dt>{{ t.sha256 }}</dt><dd class="mono">{{ chosen.manifest.sha256 }}</dd><dt>{{ t.signed }}</dt><dd class="mono">{{ chosen.signed || t.unsigned }}</dd></dl></section>
    <section><h3>{{ t.decisions }}</h3><ol><li v-for="one in [...chosen.decisions].reverse()" :key="one.number"><b>{{ decided(one) }}</b> <span v-if="one.forced" class="badge warn">{{ filled(t.forced, { why: one.forced }) }}</span><div class="dim">{{ at(one.at_ms, 'full') }} · {{ one.by }}<template v-if="one.why"> · {{ one.why }}</template></div></li></ol></section>
    <section v-if="chosen.card"><details><summary class="linklike">{{ t.card }}</summary><pre>{{ chosen.card }}</pre></details></section>
  </aside>
  <dialog ref="promote" class="promote" :aria-label="t.promote" @close="wanted = null"><form v-if="wanted" @submit.prevent="promote"><h2>{{ filled(t.promote_id, { id: wanted.id }) }}</h2>
    <fieldset class="stages"><legend>{{ t.stage }}</legend><label v-for="stage in ['shadow', 'canary', 'everywhere']" :key="stage"><input type="radio" name="stage" :value="stage" v-model="wanted.stage"><b>{{ t['stage_' + stage] }}</b><span class="dim">{{ t['about_' + stage] }}</span></label></fieldset>
    <fieldset v-if="wanted.stage !== 'everywhere'"><legend>{{ t.cameras }}<template v-if="wanted.stage === 'shadow' && start.sees_all"> ({{ t.none_is_all }})</template></legend><div class="ticks"><label v-for="one in start.cameras" :key="one.name" class="check"><input type="checkbox" :value="one.name" v-model="wanted.cameras">{{ one.title }}</label></div></fieldset>
    <label v-if="wanted.stage !== 'everywhere'" class="field">{{ t.share }}<input type="number" min="0" max="1" step="0.05" required v-model.number="wanted.share"></label>
    <label class="field">{{ t.why }}<input v-model="wanted.why" maxlength="1000" autocomplete="off"></label>
    <template v-if="!wanted.passed"><p class="note warn">{{ t.past_gate }} {{ wanted.reason }}</p><label class="field">{{ t.force }}<input v-model="wanted.forced" maxlength="1000" required autocomplete="off"></label></template>
    <div class="actions"><button type="button" class="button" @click="$refs.promote.close()">{{ t.cancel }}</button><button class="button primary">{{ filled(t.promote_id, { id: wanted.id }) }}</button></div></form></dialog>
  <dialog ref="back" :aria-label="t.roll_back" @close="going = null"><form v-if="going" @submit.prevent="back"><h2>{{ t.roll_back }}</h2><p>{{ filled(going.trial ? t.end_trial : t.back_to, { going: going.model, coming: going.coming || '–' }) }}</p>
    <label class="field">{{ t.why }}<input v-model="going.why" maxlength="1000" required autocomplete="off"></label>
    <div class="actions"><button type="button" class="button" @click="$refs.back.close()">{{ t.cancel }}</button><button class="button danger">{{ filled(t.take_back, { id: going.model }) }}</button></div></form></dialog>
  <Toasts :toasts="toasts" />
</div>`,
};
