// Cameras, zones and rules: what the file says can be looked at and adopted, what the console keeps can be changed.
import { Icon, Panel, Toasts, typing } from "/assets/panel.js";
import { Drawing } from "/assets/drawing.js";
import { Field } from "/assets/forms.js";
import { Versions } from "/assets/versions.js";
import { CameraForm, newCamera } from "/assets/camera.js";
import { Exchange } from "/assets/exchange.js";
import { Silenced } from "/assets/silenced.js";
import { TryRule } from "/assets/tryrule.js";

const TABS = ["sources", "cameras", "rules", "silenced", "site", "file"];
const clone = (value) => JSON.parse(JSON.stringify(value));

export default {
  mixins: [Panel],
  components: { CameraForm, Drawing, Exchange, Field, Icon, Silenced, Toasts, TryRule, Versions },
  data() {
    return {
      TABS,
      objects: this.start.objects, site: this.start.site, tab: this.start.rule ? "rules" : TABS.includes(this.start.tab) ? this.start.tab : "cameras", camera: this.start.camera || this.start.cameras[0]?.name || "",
      chosen: this.start.rule ? "rule//" + this.start.rule : "", draft: null, drawing: "", versions: null, naming: null, undone: [], refreshed: 0, busy: false,
    };
  },
  computed: {
    /** As they are in force now; who may not configure knows them as they were when the page was opened. */
    cameras() {
      const kept = this.sources.map((one) => ({ name: one.camera, title: one.body.friendly_name || one.camera, origin: one.origin, masks: Object.entries(one.body.masks ?? {}).map(([name, mask]) => ({ name, points: mask.coordinates })) }));
      return kept.length ? kept : this.start.cameras;
    },
    sources() { return this.objects.filter((one) => one.kind === "camera"); },
    cameraNow() { return this.cameras.find((one) => one.name === this.camera); },
    ofCamera() { return this.objects.filter((one) => one.camera === this.camera && (one.kind === "zone" || one.kind === "line")).sort((a, b) => b.kind.localeCompare(a.kind) || a.name.localeCompare(b.name)); },
    rules() { return this.objects.filter((one) => one.kind === "rule").sort((a, b) => a.name.localeCompare(b.name)); },
    object() { return this.found(this.chosen); },
    siteFields() {
      return [{ name: "armed", type: "switch" }, { name: "maintenance", type: "switch" }, { name: "schedule", type: "schedule" }, { name: "disarmed_zones", type: "choices", options: this.zones }, { name: "maintained", type: "choices", options: this.cameras.map((one) => one.name) }];
    },
    siteChanged() { return JSON.stringify(this.site) !== JSON.stringify(this.start.site); },
    changed() { return this.tab === "site" ? this.siteChanged : this.draft && JSON.stringify(this.draft.body) !== JSON.stringify(this.object?.body ?? null); },
    editable() { return this.me.may_configure && this.draft && (this.draft.fresh || this.object?.origin === "console"); },
    shapes() {
      const kept = this.ofCamera.filter((one) => one.key !== this.draft?.key).map((one) => ({ key: one.key, kind: one.kind, name: one.name, points: one.body.coordinates }));
      const drawn = this.draft?.body.coordinates && this.draft.camera === this.camera ? [{ key: this.draft.key, kind: this.draft.kind, name: this.draft.name, points: this.draft.body.coordinates }] : [];
      const masks = (this.cameraNow?.masks ?? []).map((mask) => ({ key: `mask/${this.camera}/${mask.name}`, kind: "mask", name: mask.name, points: mask.points })).filter((one) => one.key !== this.draft?.key);
      return [...masks, ...kept, ...drawn];
    },
    fields() { return this.draft ? (this.draft.kind === "rule" ? this.start.forms[this.draft.body.kind] : this.start.forms[this.draft.kind]) ?? [] : []; },
    zones() { return [...new Set(this.objects.filter((one) => one.kind === "zone").map((one) => one.name))].sort(); },
    lines() { return [...new Set(this.objects.filter((one) => one.kind === "line").map((one) => one.name))].sort(); },
    picture() { return this.camera ? `/live/picture/${encodeURIComponent(this.camera)}.jpg?n=${this.refreshed}` : ""; },
    usedBy() { return this.draft && this.draft.kind !== "rule" ? this.rules.filter((rule) => (this.draft.kind === "zone" ? rule.body.zone : rule.body.line) === this.draft.name && (!rule.body.cameras?.length || rule.body.cameras.includes(this.draft.camera))) : []; },
  },
  mounted() {
    this.onKey = (event) => this.key(event);
    addEventListener("keydown", this.onKey);
    this.onLeave = (event) => { if (this.changed) event.preventDefault(); };
    addEventListener("beforeunload", this.onLeave);
    if (this.chosen) this.choose(this.chosen);
  },
  unmounted() { removeEventListener("keydown", this.onKey); removeEventListener("beforeunload", this.onLeave); },
  methods: {
    /** An object, or a mask: that is a part of its camera. */
    found(key) {
      const one = this.objects.find((object) => object.key === key);
      if (one || !key.startsWith("mask/")) return one;
      const [, camera, name] = key.split("/"), of = this.wholeOf(camera), mask = of?.body.masks?.[name];
      return mask && { key, kind: "mask", camera, name, origin: of.origin, version: of.version, body: { coordinates: mask.coordinates } };
    },
    wholeOf(camera) { return this.objects.find((one) => one.key === `camera/${camera}/`); },
    key(event) {
      if ((event.ctrlKey || event.metaKey) && event.key === "z" && this.undone.length && !["INPUT", "TEXTAREA"].includes(event.target.tagName)) { this.undo(); event.preventDefault(); }
      else if (!typing(event) && event.key === "Escape" && this.draft) this.leave();
    },
    /** From the server: somebody changed something. */
    update(objects) {
      this.objects = objects;
      if (this.draft && !this.changed && this.object) this.draft = this.drafted(this.object);
    },
    drafted(one) { return { key: one.key, kind: one.kind, camera: one.camera, name: one.name, version: one.version, body: clone(one.body), fresh: false }; },
    choose(key) {
      if (this.draft && this.changed && this.draft.key !== key && !confirm(this.t.drop_changes)) return;
      const one = this.found(key);
      this.chosen = key; this.versions = null; this.undone = []; this.drawing = "";
      this.draft = one ? this.drafted(one) : null;
    },
    leave() { if (!this.changed || confirm(this.t.drop_changes)) { this.draft = null; this.chosen = ""; this.drawing = ""; } },
    remember() { this.undone = [...this.undone.slice(-49), clone(this.draft.body)]; },
    undo() { const last = this.undone.at(-1); this.undone = this.undone.slice(0, -1); if (last) this.draft = { ...this.draft, body: last }; },
    set(name, value) { this.remember(); this.draft = { ...this.draft, body: { ...this.draft.body, [name]: value } }; },
    reshape(points) { if (!this.lastShape || Date.now() - this.lastShape > 600) this.remember(); this.lastShape = Date.now(); this.draft = { ...this.draft, body: { ...this.draft.body, coordinates: points } }; },
    turn() { this.set("coordinates", [...this.draft.body.coordinates].reverse()); },
    begin(kind) { if (this.changed && !confirm(this.t.drop_changes)) return; this.draft = null; this.chosen = ""; this.drawing = kind; },
    drawn(points) { this.naming = { kind: this.drawing, camera: this.camera, name: "", body: { ...clone(this.start.defaults[this.drawing] ?? {}), coordinates: points } }; this.drawing = ""; this.$nextTick(() => { this.$refs.naming.showModal(); this.$refs.name.focus(); }); },
    addCamera() { if (this.changed && !confirm(this.t.drop_changes)) return; this.naming = { kind: "camera", camera: "", name: "", body: newCamera() }; this.$nextTick(() => { this.$refs.naming.showModal(); this.$refs.name.focus(); }); },
    newRule() { this.naming = { kind: "rule", camera: "", name: "", rule: "zone_entry" }; this.$nextTick(() => { this.$refs.naming.showModal(); this.$refs.name.focus(); }); },
    named() {
      const { kind, rule } = this.naming, [camera, name] = kind === "camera" ? [this.naming.name, ""] : [this.naming.camera, this.naming.name], key = `${kind}/${camera}/${name}`;
      if (this.found(key)) return this.say(this.filled(this.t.name_taken, { name: name || camera }), "bad");
      const body = this.naming.body ?? clone(this.start.defaults[rule]);
      if (kind === "rule" && "zone" in body && !body.zone) body.zone = this.zones[0] ?? "";
      if (kind === "rule" && "line" in body && !body.line) body.line = this.lines[0] ?? "";
      this.$refs.naming.close();
      this.draft = { key, kind, camera, name, version: 0, body, fresh: true };
      this.chosen = key; this.naming = null; this.undone = []; this.versions = null;
      if (kind !== "rule" && kind !== "camera") this.save();
    },
    async run(name, args, text, undo = null) {
      this.busy = true;
      try { this.update(await this.call(name, args)); if (text) this.say(text, "", undo && { label: this.t.undo, run: () => this.takeBack(undo) }); this.versions = null; return true; } catch { return false; } finally { this.busy = false; }
    },
    /** What was just saved or removed is as it was before. */
    async takeBack({ kind, camera, name }) {
      const key = `${kind}/${camera}/${name}`;
      if (!(await this.run("undo", { kind, camera, name }, this.filled(this.t.taken_back, { name: name || camera }))) || this.chosen !== key) return;
      this.draft = null; this.chosen = "";
      if (this.found(key)) this.choose(key);
    },
    async save() {
      const { kind, camera, name, version, body, key, fresh } = this.draft, whole = this.wholeOf(camera);
      const sent = kind === "mask" ? { kind: "camera", camera, name: "", version: whole.version, body: { ...whole.body, masks: { ...whole.body.masks, [name]: body } } } : { kind, camera, name, version, body };
      const undo = { kind: sent.kind, camera, name: sent.name };
      if (await this.run("save", sent, this.filled(this.t.saved, { name: name || camera }), undo)) { if (kind === "camera" && fresh) this.camera = camera; this.draft = this.drafted(this.found(key)); this.undone = []; }
    },
    async removeMask() {
      const { camera, name } = this.draft, whole = this.wholeOf(camera), masks = { ...whole.body.masks };
      delete masks[name];
      if (await this.run("save", { kind: "camera", camera, name: "", version: whole.version, body: { ...whole.body, masks } }, this.filled(this.t.removed, { name }), { kind: "camera", camera, name: "" })) { this.draft = null; this.chosen = ""; }
    },
    attempt(source) { return this.call("try_camera", { camera: this.draft.camera, source, agent: this.draft.body.agent ?? "" }, { shows: false }); },
    tryRule(hours) { return this.call("try_rule", { name: this.draft.name, rule: this.draft.body, hours }, { patience: 70000 }); },
    plan(text, remove) { return this.call("plan", { text, remove }); },
    applyPlan(text, digest, remove) { return this.call("apply", { text, digest, remove }); },
    silenced() { return this.call("silenced"); },
    snoozed() { return this.call("snoozed"); },
    async endSnooze({ rule, camera }) { const rows = await this.call("end_snooze", { rule, camera }); this.say(this.filled(this.t.snooze_ended, { rule, camera })); return rows; },
    async lift(suppression) { const rows = await this.call("lift", { suppression }); this.say(this.t.silence_lifted); return rows; },
    applied(objects, count) { this.update(objects); this.say(this.filled(this.t.applied, { count })); },
    async saveSite() {
      this.busy = true;
      try { this.site = await this.call("save_site", { site: this.site }); this.start.site = clone(this.site); this.say(this.t.site_saved); } finally { this.busy = false; }
    },
    async remove() {
      if (this.draft.kind === "mask") return this.removeMask();
      const { kind, camera, name, version } = this.draft;
      if (confirm(this.filled(this.usedBy.length ? this.t.remove_used : this.t.remove_sure, { name: name || camera, rules: this.usedBy.map((one) => one.name).join(", ") })) && (await this.run("remove", { kind, camera, name, version }, this.filled(this.t.removed, { name: name || camera }), { kind, camera, name }))) { this.draft = null; this.chosen = ""; }
    },
    async adopt() { const { kind, camera, name, key } = this.draft; if (await this.run("adopt", { kind, camera, name }, this.filled(this.t.adopted, { name: name || camera }))) this.choose(key); },
    async history() { const { kind, camera, name } = this.draft; this.versions = this.versions ? null : await this.call("versions", { kind, camera, name }); },
    async restore(one) {
      const { kind, camera, name, version, key } = this.draft;
      if (await this.run("save", { kind, camera, name, version, body: one.body }, this.filled(this.t.restored, { version: one.version }))) { this.draft = this.drafted(this.objects.find((object) => object.key === key)); }
    },
    optionsOf(field) { return field.from === "zones" ? this.zones : field.from === "lines" ? this.lines : field.from === "cameras" ? this.cameras.map((one) => one.name) : null; },
    placeOf(rule) { return rule.body.zone || rule.body.line || this.t.whole_picture; },
    show(tab) { if (this.changed && !confirm(this.t.drop_changes)) return; this.tab = tab; this.site = clone(this.start.site); this.draft = null; this.chosen = ""; this.drawing = ""; },
  },
  template: `
<div class="setup">
  <div class="livebar"><h1>{{ t.title }}</h1><div class="segments" role="tablist"><button v-for="name in TABS" :key="name" role="tab" :aria-selected="tab === name" @click="show(name)">{{ t['tab_' + name] }}</button></div>
    <template v-if="tab === 'cameras'"><label class="row"><span class="sr">{{ t.camera }}</span><select v-model="camera" @change="draft = null; chosen = ''; drawing = ''"><option v-for="one in cameras" :key="one.name" :value="one.name">{{ one.title }}</option></select></label>
    <button class="button small" :disabled="!me.may_configure" :aria-pressed="drawing === 'zone'" @click="begin('zone')"><Icon name="plus"/>{{ t.new_zone }}</button><button class="button small" :disabled="!me.may_configure" :aria-pressed="drawing === 'line'" @click="begin('line')"><Icon name="plus"/>{{ t.new_line }}</button><button class="button small" :disabled="!me.may_configure || cameraNow?.origin !== 'console'" :title="cameraNow?.origin === 'console' ? '' : t.mask_adopt" :aria-pressed="drawing === 'mask'" @click="begin('mask')"><Icon name="plus"/>{{ t.new_mask }}</button><button class="button small quiet" @click="refreshed++">{{ t.new_picture }}</button></template>
    <button v-if="tab === 'sources'" class="button small" :disabled="!me.may_configure" @click="addCamera"><Icon name="plus"/>{{ t.new_camera }}</button>
    <button v-if="tab === 'rules'" class="button small" :disabled="!me.may_configure" @click="newRule"><Icon name="plus"/>{{ t.new_rule }}</button><span class="grow"></span><span v-if="!me.may_configure" class="dim">{{ t.read_only }}</span></div>
  <div :class="['setupbody', { open: draft }]">
    <section v-if="tab === 'cameras'" class="canvas" :aria-label="t.picture">
      <p v-if="drawing" class="note">{{ t['draw_hint_' + drawing] }}</p>
      <Drawing :picture="picture" :shapes="shapes" :chosen="chosen" :editable="!!editable" :drawing="drawing" :t="t" @choose="choose" @change="reshape" @drawn="drawn" @cancel="drawing = ''" />
      <div class="chips"><button v-for="one in ofCamera" :key="one.key" class="button small" :aria-pressed="one.key === chosen" @click="choose(one.key)"><span :class="'mark ' + one.kind" aria-hidden="true"></span>{{ one.name }}<span v-if="one.origin === 'file'" class="badge">{{ t.from_file }}</span></button></div><p v-if="!draft && !drawing" class="dim">{{ ofCamera.length ? t.choose_shape : t.no_shapes }}</p>
    </section>
    <section v-else-if="tab === 'sources'" class="scroll" :aria-label="t.tab_sources" tabindex="0"><table class="table rules"><thead><tr><th scope="col">{{ t.camera }}</th><th scope="col">{{ t.url }}</th><th scope="col">{{ t.field_track }}</th><th scope="col">{{ t.origin }}</th></tr></thead>
      <tbody><tr v-for="one in sources" :key="one.key" :class="{ chosen: one.key === chosen }"><td><button class="linklike" :aria-current="one.key === chosen" @click="choose(one.key)">{{ one.body.friendly_name || one.camera }}</button> <span v-if="one.body.enabled === false" class="badge warn">{{ t.off }}</span></td><td><code>{{ one.body.inputs.map((input) => input.url).join(', ') }}</code></td><td>{{ one.body.objects?.track?.join(', ') ?? t.all_labels }}</td><td>{{ one.origin === 'file' ? t.from_file : t.version + ' ' + one.version }}</td></tr></tbody></table>
      <div v-if="!sources.length" class="empty"><p class="dim">{{ t.no_sources }}</p></div></section>
    <Exchange v-else-if="tab === 'file'" :t="t" :disabled="!me.may_configure" :plan="plan" :apply="applyPlan" @applied="applied" />
    <Silenced v-else-if="tab === 'silenced'" :t="t" :zone="zone" :me="me" :load="silenced" :lift="lift" :snoozed="snoozed" :end="endSnooze" />
    <section v-else-if="tab === 'site'" class="scroll site" :aria-label="t.tab_site" tabindex="0"><form class="card stack" style="gap:14px" @submit.prevent="saveSite"><h2>{{ t.tab_site }}</h2><p class="dim">{{ t.site_hint }}</p>
      <Field v-for="field in siteFields" :key="field.name" :field="field" :value="site[field.name]" :t="t" :disabled="!me.may_arm" @change="(value) => (site = { ...site, [field.name]: value })" />
      <div class="row"><button class="button primary" :disabled="!me.may_arm || busy || !siteChanged">{{ t.save }}</button></div></form></section>
    <section v-else class="scroll" :aria-label="t.tab_rules" tabindex="0"><table class="table rules"><thead><tr><th scope="col">{{ t.rule }}</th><th scope="col">{{ t.kind }}</th><th scope="col">{{ t.where }}</th><th scope="col">{{ t.camera }}</th><th scope="col">{{ t.severity }}</th><th scope="col">{{ t.when }}</th><th scope="col">{{ t.origin }}</th></tr></thead>
      <tbody><tr v-for="one in rules" :key="one.key" :class="{ chosen: one.key === chosen }"><td><button class="linklike" :aria-current="one.key === chosen" @click="choose(one.key)">{{ one.name }}</button> <span v-if="one.body.enabled === false" class="badge warn">{{ t.off }}</span></td><td>{{ t['rule_' + one.body.kind] }}</td><td>{{ placeOf(one) }}</td><td>{{ (one.body.cameras ?? []).join(', ') || t.all_cameras }}</td><td><span :class="['sev', one.body.severity]">{{ t['severity_' + one.body.severity] }}</span></td><td>{{ (one.body.schedule ?? []).length ? one.body.schedule.map((p) => p.from + '–' + p.until).join(', ') : t.always }}</td><td>{{ one.origin === 'file' ? t.from_file : t.version + ' ' + one.version }}</td></tr></tbody></table>
      <div v-if="!rules.length" class="empty"><h2>{{ t.no_rules }}</h2></div></section>
    <aside v-if="draft" class="side" :aria-label="draft.name || draft.camera"><form class="stack" style="gap:12px" @submit.prevent="save">
      <div class="row"><h2>{{ draft.name || draft.camera }}</h2><span class="badge">{{ t['object_' + draft.kind] }}<template v-if="draft.kind === 'rule'"> · {{ t['rule_' + draft.body.kind] }}</template></span><span class="grow"></span><button type="button" class="iconbutton" :aria-label="t.close" @click="leave"><Icon name="close"/></button></div>
      <div v-if="!draft.fresh && object && object.origin === 'file'" class="note">{{ t.file_hint }} <button v-if="me.may_configure" type="button" class="button small" :disabled="busy" @click="adopt">{{ t.adopt }}</button></div>
      <p v-if="draft.kind === 'rule'" class="dim">{{ t['about_' + draft.body.kind] }}</p>
      <p v-if="draft.kind === 'mask'" class="dim">{{ t.about_mask }}</p>
      <CameraForm v-if="draft.kind === 'camera'" :name="draft.camera" :body="draft.body" :t="t" :disabled="!editable" :attempt="attempt" :agents="start.agents" @change="(body) => { remember(); draft = { ...draft, body }; }" />
      <Field v-for="field in fields" :key="field.name" :field="field" :value="draft.body[field.name] === undefined ? null : draft.body[field.name]" :options="optionsOf(field)" :t="t" :disabled="!editable" @change="(value) => set(field.name, value)" />
      <TryRule v-if="draft.kind === 'rule' && me.may_configure" :key="draft.key" :t="t" :zone="zone" :attempt="tryRule" />
      <p v-if="usedBy.length" class="dim">{{ t.used_by }} {{ usedBy.map((one) => one.name).join(', ') }}</p>
      <div class="row sticky"><button class="button primary" :disabled="!editable || busy || (!changed && !draft.fresh)">{{ t.save }}</button><button type="button" class="button" :disabled="!undone.length" @click="undo"><Icon name="undo"/>{{ t.undo }}</button><button v-if="draft.kind === 'line'" type="button" class="button" :disabled="!editable" @click="turn">{{ t.turn }}</button><span class="grow"></span><button v-if="!draft.fresh && draft.kind !== 'mask'" type="button" class="button quiet" :aria-expanded="!!versions" :disabled="busy" @click="history">{{ t.versions }}</button><button v-if="!draft.fresh" type="button" class="button quiet danger" :disabled="!editable || busy" @click="remove">{{ t.remove }}</button></div>
      <Versions v-if="versions" :versions="versions" :t="t" :zone="zone" :editable="!!editable" @restore="restore" />
    </form></aside>
  </div>
  <dialog ref="naming" :aria-label="naming ? t['new_' + naming.kind] : null" @close="naming = null"><form v-if="naming" @submit.prevent="named"><h2>{{ t['new_' + naming.kind] }}</h2><label class="field">{{ t.name }}<input ref="name" :value="naming.name" required :title="t.name_hint" @input="naming.name = $event.target.value = $event.target.value.toLowerCase().replace(/\\s/g, '-')" pattern="[a-z0-9]([a-z0-9_\\-]{0,62}[a-z0-9])?" autocomplete="off"><span class="dim">{{ t.name_hint }}</span></label>
    <label v-if="naming.kind === 'rule'" class="field">{{ t.kind }}<select v-model="naming.rule"><option v-for="kind in start.kinds" :key="kind" :value="kind">{{ t['rule_' + kind] }}</option></select><span class="dim">{{ t['about_' + naming.rule] }}</span></label>
    <div class="actions"><button type="button" class="button" @click="$refs.naming.close()">{{ t.cancel }}</button><button class="button primary">{{ naming.kind === 'rule' ? t.go_on : t.save }}</button></div></form></dialog>
  <Toasts :toasts="toasts" />
</div>`,
};
