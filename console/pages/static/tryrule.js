// How often a rule would have alerted over the tracks that are kept, as bars over time beside the rule in force.
import { at } from "/assets/panel.js";

const BARS = 24, WIDTH = 360, HEIGHT = 84;

export const TryRule = {
  props: { t: Object, zone: String, attempt: Function },
  data: () => ({ hours: 1, found: null, busy: false, shown: "" }),
  computed: {
    span() { return Math.max(1, this.found.until_ms - this.found.since_ms); },
    wanted() { return this.counted(this.found.wanted.moments); },
    inForce() { return this.found.in_force ? this.counted(this.found.in_force.moments) : []; },
    most() { return Math.max(1, ...this.wanted, ...this.inForce); },
    bars() { return this.wanted.map((count, i) => ({ count, before: this.inForce[i], x: (i * WIDTH) / BARS, high: (count / this.most) * HEIGHT, was: ((this.inForce[i] ?? 0) / this.most) * HEIGHT })); },
    hoursSeen() { return this.span / 3_600_000; },
    said() {
      const rate = (one) => (one.count / Math.max(this.hoursSeen, 1 / 60)).toFixed(1);
      const silenced = this.found.wanted.silenced ? " " + this.fill(this.t.would_silence, { n: this.found.wanted.silenced }) : "";
      const words = this.fill(this.t.would_have, { n: this.found.wanted.count, rate: rate(this.found.wanted) }) + silenced;
      return this.found.in_force ? `${words} ${this.fill(this.t.in_force_has, { n: this.found.in_force.count, rate: rate(this.found.in_force) })}` : words;
    },
    last() { return this.found.wanted.moments.slice(-12).reverse(); },
  },
  methods: {
    fill(text, values) { return Object.entries(values).reduce((made, [name, value]) => made.replace(`{${name}}`, value), text); },
    at(ms) { return at(ms, this.zone, "stamp"); },
    counted(moments) { const counts = Array(BARS).fill(0); for (const one of moments) counts[Math.min(BARS - 1, Math.max(0, Math.floor(((one.at_ms - this.found.since_ms) / this.span) * BARS)))]++; return counts; },
    async look() {
      this.busy = true; this.shown = "";
      try { this.found = await this.attempt(Number(this.hours)); } catch { this.found = null; } finally { this.busy = false; }
    },
  },
  template: `
<fieldset class="try"><legend>{{ t.try_rule }}</legend>
  <div class="row"><label class="row"><span>{{ t.over }}</span><select v-model="hours"><option :value="1">{{ t.hours_1 }}</option><option :value="6">{{ t.hours_6 }}</option><option :value="24">{{ t.hours_24 }}</option></select></label><button type="button" class="button small" :disabled="busy" @click="look">{{ busy ? t.trying : t.try_now }}</button></div>
  <div role="status" aria-live="polite" class="stack" style="gap:8px"><template v-if="found && found.error"><p class="note bad">{{ found.error }}</p></template>
  <template v-else-if="found && !found.frames"><p class="dim">{{ t.no_tracks }}</p></template>
  <template v-else-if="found"><p>{{ said }}</p>
    <svg class="bars" :viewBox="'0 0 ${WIDTH} ${HEIGHT + 2}'" role="img" :aria-label="said"><g v-for="(bar, i) in bars" :key="i"><rect class="wanted" :x="bar.x + 2" :y="${HEIGHT} - bar.high" :width="${WIDTH / BARS - 4}" :height="bar.high"/><rect v-if="found.in_force" class="inforce" :x="bar.x + 1" :y="${HEIGHT} - bar.was" :width="${WIDTH / BARS - 2}" :height="bar.was"/></g><line x1="0" y1="${HEIGHT + 1}" x2="${WIDTH}" y2="${HEIGHT + 1}"/></svg>
    <div class="row dim axis"><span>{{ at(found.since_ms) }}</span><span class="grow"></span><span>{{ at(found.until_ms) }}</span></div>
    <p class="dim legend"><span class="key wanted"></span>{{ t.as_wanted }} <template v-if="found.in_force"><span class="key inforce"></span>{{ t.as_in_force }}</template> · {{ fill(t.of_frames, { n: found.frames }) }}<template v-if="found.thinned">, {{ t.thinned }}</template></p>
    <ul class="moments"><li v-for="one in last" :key="one.alert"><button v-if="one.picture" type="button" class="linklike" :aria-expanded="shown === one.alert" @click="shown = shown === one.alert ? '' : one.alert">{{ at(one.at_ms) }}</button><span v-else>{{ at(one.at_ms) }}</span> {{ one.camera }}: {{ one.why }} <a v-if="one.open" :href="one.open">{{ t.to_alert }}</a><img v-if="shown === one.alert" :src="one.picture" :alt="one.why" @error="shown = ''; one.picture = ''"></li></ul></template></div></fieldset>`,
};
