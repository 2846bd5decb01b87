// One camera's form: where its pictures come from, tried by its agent first, how large and how often, what is followed.
import { Icon } from "/assets/panel.js";

const LABELS = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "bag", "dog", "cat"];
export const newCamera = () => ({ inputs: [{ url: "" }], enabled: true, friendly_name: "", detect: {}, objects: { track: ["person"] }, masks: {} });

export const CameraForm = {
  props: { name: String, body: Object, disabled: Boolean, t: Object, attempt: Function, agents: Array },
  emits: ["change"],
  components: { Icon },
  data: () => ({ seen: {}, trying: -1 }),
  computed: {
    labels: () => LABELS,
    detail() { return this.body.inputs.findIndex((one) => one.roles && !one.roles.includes("detect")); },
    secret() { return this.name.toUpperCase().replace(/[^A-Z0-9]+/g, "_") + "_PASSWORD"; },
    hint() { return this.t.url_hint.replaceAll("SECRET", this.secret); },
    known() { return [...new Set([...this.agents, this.body.agent])].filter(Boolean); },
    masks() { return Object.keys(this.body.masks ?? {}); },
  },
  watch: { name() { this.seen = {}; } },
  methods: {
    put(changes) { this.$emit("change", { ...this.body, ...changes }); },
    nested(part, name, value) { const made = { ...this.body[part] }; if (value === null || value === "") delete made[name]; else made[name] = value; this.put({ [part]: made }); },
    number(text) { return text === "" ? null : Number(text); },
    url(i, url) { delete this.seen[i]; this.put({ inputs: this.body.inputs.map((one, n) => (n === i ? { ...one, url } : one)) }); },
    second() {
      const inputs = this.body.inputs.map((one) => ({ ...one, roles: ["detect"] }));
      this.put({ inputs: [...inputs, { url: "", roles: ["detail"] }] });
    },
    single(i) { const rest = this.body.inputs.filter((_, n) => n !== i).map(({ roles, ...one }) => one); delete this.seen[i]; this.put({ inputs: rest }); },
    track(label) { const list = this.body.objects?.track ?? LABELS; this.put({ objects: { ...this.body.objects, track: list.includes(label) ? list.filter((one) => one !== label) : [...list, label] } }); },
    mask(name) { const masks = { ...this.body.masks }; delete masks[name]; this.put({ masks }); },
    async look(i) {
      this.trying = i; delete this.seen[i];
      try { this.seen = { ...this.seen, [i]: await this.attempt(this.body.inputs[i]) }; } catch (refusal) { this.seen = { ...this.seen, [i]: { error: refusal.message } }; } finally { this.trying = -1; }
    },
    told(one) { return [`${one.width} × ${one.height}`, one.fps ? `${one.fps} fps` : "", one.codec].filter(Boolean).join(" · "); },
  },
  template: `
<label class="field">{{ t.field_friendly_name }}<input type="text" :value="body.friendly_name ?? ''" :disabled="disabled" @input="put({ friendly_name: $event.target.value })"></label>
<label v-if="agents.length > 1 || body.agent" class="field">{{ t.field_agent }}<select :value="body.agent ?? ''" required :disabled="disabled" @change="put({ agent: $event.target.value || null })"><option value="" disabled>{{ t.choose_agent }}</option><option v-for="one in known" :key="one" :value="one">{{ one }}</option></select></label>
<fieldset v-for="(one, i) in body.inputs" :key="i" :disabled="disabled"><legend>{{ i === detail ? t.input_detail : detail < 0 ? t.input_only : t.input_detect }}</legend>
  <label class="field"><span class="sr">{{ t.url }}</span><input type="text" :value="one.url" required spellcheck="false" autocomplete="off" :placeholder="'rtsp://viewer:{' + secret + '}@192.168.1.20/stream2'" :aria-invalid="!!seen[i]?.error" :aria-describedby="'url-error-' + i + ' url-hint-' + i" @input="url(i, $event.target.value)"></label>
  <div role="status" aria-live="polite"><p v-if="seen[i]?.error" :id="'url-error-' + i" class="note bad">{{ seen[i].error }}</p></div>
  <p :id="'url-hint-' + i" class="dim hint">{{ hint }}</p>
  <div class="row"><button type="button" class="button small" :disabled="disabled || !one.url || trying >= 0" @click="look(i)">{{ trying === i ? t.trying : t.try_it }}</button><button v-if="i === detail" type="button" class="button small quiet" @click="single(i)">{{ t.no_second }}</button></div>
  <div class="tested" role="status" aria-live="polite"><figure v-if="seen[i] && !seen[i].error" class="probe"><img :src="'data:image/jpeg;base64,' + seen[i].jpeg" :alt="t.test_picture"><figcaption class="dim">{{ told(seen[i]) }} · {{ t.seen_by }} {{ seen[i].agent }}</figcaption></figure></div></fieldset>
<button v-if="detail < 0" type="button" class="button small quiet" :disabled="disabled" @click="second"><Icon name="plus"/>{{ t.add_second }}</button>
<div class="row two"><label class="field">{{ t.field_fps }}<input type="number" min="0.1" max="120" step="any" :value="body.detect?.fps ?? ''" :placeholder="t.of_site" :disabled="disabled" @input="nested('detect', 'fps', number($event.target.value))"></label>
<label class="field">{{ t.field_height }}<input type="number" min="64" max="4320" step="1" :value="body.detect?.height ?? ''" :placeholder="t.of_site" :disabled="disabled" @input="nested('detect', 'height', number($event.target.value))"></label></div>
<fieldset :disabled="disabled"><legend>{{ t.field_track }}</legend><div class="ticks"><label v-for="label in labels" :key="label" class="check"><input type="checkbox" :checked="(body.objects?.track ?? labels).includes(label)" @change="track(label)">{{ label }}</label></div></fieldset>
<fieldset v-if="masks.length" :disabled="disabled"><legend>{{ t.masks }}</legend><div v-for="one in masks" :key="one" class="row"><span>{{ one }}</span><span class="grow"></span><button type="button" class="button small quiet danger" @click="mask(one)">{{ t.remove }}</button></div></fieldset>
<label class="check"><input type="checkbox" :checked="body.enabled !== false" :disabled="disabled" @change="put({ enabled: $event.target.checked })">{{ t.field_enabled }}</label>`,
};
