// Forms made from descriptions of fields: what a rule, zone or line may hold comes from the config's own types.

/** One field: {name, type: number|text|long|switch|choice|choices|words|pairs|schedule|rates, options, min, max, required, empty}. */
const PAIR = "[^:,]*[^:, ][^:,]*:[^:,]*[^:, ][^:,]*", PAIRS = `(${PAIR}(,${PAIR})*)?`;

export const Field = {
  props: { field: Object, value: null, t: Object, disabled: Boolean, options: Array },
  emits: ["change"],
  data: () => ({ PAIRS }),
  computed: {
    label() { return this.t["field_" + this.field.name] ?? this.field.name.replaceAll("_", " "); },
    hint() { return this.t["hint_" + this.field.name]; },
    /** A field's name without its hint, which stands in the same label. */
    said() { return this.hint ? { "aria-label": this.label, "aria-description": this.hint } : {}; },
    choices() { return this.options ?? this.field.options ?? []; },
  },
  methods: {
    named(value) { return this.t["value_" + value] ?? this.t["severity_" + value] ?? value; },
    number(text) { this.$emit("change", text === "" ? null : Number(text)); },
    rate(one, text) { const { [one]: _, ...others } = this.value ?? {}; this.$emit("change", text === "" ? others : { ...others, [one]: Number(text) }); },
    words(text) { this.$emit("change", text.split(",").map((one) => one.trim()).filter(Boolean)); },
    pairs(input) { if (input.reportValidity()) this.$emit("change", this.paired(input.value)); },
    paired(text) { const parts = text.split(",").map((one) => one.split(":").map((part) => part.trim())); return Object.fromEntries(parts.filter(([name, value]) => name && value)); },
    tick(value) { const list = this.value ?? []; this.$emit("change", list.includes(value) ? list.filter((one) => one !== value) : [...list, value]); },
    period(i, change) { this.$emit("change", this.value.map((one, n) => (n === i ? { ...one, ...change } : one))); },
    toggleDay(i, day) { const days = this.value[i].days; this.period(i, { days: days.includes(day) ? days.filter((one) => one !== day) : ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].filter((one) => days.includes(one) || one === day) }); },
    add() { this.$emit("change", [...(this.value ?? []), { days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from: "22:00", until: "06:00" }]); },
  },
  template: `
<label v-if="field.type === 'switch'" class="check"><input type="checkbox" :checked="value" :disabled="disabled" @change="$emit('change', $event.target.checked)">{{ label }}</label>
<fieldset v-else-if="field.type === 'choices'" :disabled="disabled"><legend>{{ label }}</legend><div class="ticks"><label v-for="one in choices" :key="one" class="check"><input type="checkbox" :checked="(value ?? []).includes(one)" @change="tick(one)">{{ named(one) }}</label></div><p v-if="hint" class="dim hint">{{ hint }}</p></fieldset>
<fieldset v-else-if="field.type === 'rates'" :disabled="disabled"><legend>{{ label }}</legend><p v-if="!choices.length" class="dim">–</p><div class="rates"><label v-for="one in choices" :key="one" class="rate"><span>{{ named(one) }}</span><input type="number" min="0.01" step="any" :placeholder="t.any_number" :value="(value ?? {})[one]" @input="rate(one, $event.target.value)"></label></div><p v-if="hint" class="dim hint">{{ hint }}</p></fieldset>
<fieldset v-else-if="field.type === 'schedule'" :disabled="disabled"><legend>{{ label }}</legend><p v-if="!(value ?? []).length" class="dim">{{ t['empty_' + field.name] ?? t.always }}</p>
  <div v-for="(one, i) in value" :key="i" class="period"><span class="days"><label v-for="day in ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']" :key="day"><input type="checkbox" class="sr" :checked="one.days.includes(day)" @change="toggleDay(i, day)"><span>{{ t['day_' + day] }}</span></label></span>
    <input type="text" pattern="([01][0-9]|2[0-3]):[0-5][0-9]" size="5" :aria-label="t.from" :value="one.from" @change="period(i, { from: $event.target.value })">–<input type="text" pattern="([01][0-9]|2[0-3]):[0-5][0-9]|24:00" size="5" :aria-label="t.until" :value="one.until" @change="period(i, { until: $event.target.value })">
    <button type="button" class="button small quiet" @click="$emit('change', value.filter((_, n) => n !== i))">{{ t.remove }}</button></div>
  <button type="button" class="button small" @click="add">{{ t.add_period }}</button></fieldset>
<label v-else class="field">{{ label }}
  <select v-bind="said" v-if="field.type === 'choice'" :value="value ?? ''" :disabled="disabled" :required="field.required" @change="$emit('change', $event.target.value)"><option v-if="!field.required" value="">{{ t.whole_picture }}</option><option v-for="one in choices" :key="one" :value="one">{{ named(one) }}</option></select>
  <textarea v-bind="said" v-else-if="field.type === 'long'" :value="value" :disabled="disabled" @input="$emit('change', $event.target.value)"></textarea>
  <input v-bind="said" v-else-if="field.type === 'number'" type="number" :value="value" :min="field.min" :max="field.max" :step="field.whole ? 1 : 'any'" :required="field.required" :placeholder="field.empty" :disabled="disabled" @input="number($event.target.value)">
  <input v-bind="said" v-else-if="field.type === 'words'" type="text" :value="(value ?? []).join(', ')" :disabled="disabled" @change="words($event.target.value)">
  <input v-bind="said" v-else-if="field.type === 'pairs'" type="text" :value="Object.entries(value ?? {}).map((one) => one.join(': ')).join(', ')" :disabled="disabled" :pattern="PAIRS" :title="hint" @change="pairs($event.target)">
  <input v-bind="said" v-else type="text" :value="value" :disabled="disabled" @input="$emit('change', $event.target.value)"><span v-if="hint" class="dim hint">{{ hint }}</span></label>`,
};
