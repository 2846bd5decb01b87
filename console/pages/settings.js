// One setting as a form: the alert budget, or the routes of notifications, which are a list of forms in their order.
import { Panel, Toasts } from "/assets/panel.js";
import { Field } from "/assets/forms.js";
import { Versions } from "/assets/versions.js";

const clone = (value) => JSON.parse(JSON.stringify(value));

export default {
  mixins: [Panel],
  components: { Field, Toasts, Versions },
  data() { return { body: clone(this.start.body), kept: this.start.body, version: this.start.version, open: false, busy: false, versions: null }; },
  computed: {
    list() { return this.start.list; },
    changed() { return JSON.stringify(this.body) !== JSON.stringify(this.kept); },
  },
  mounted() { this.onLeave = (event) => { if (this.changed) event.preventDefault(); }; addEventListener("beforeunload", this.onLeave); },
  unmounted() { removeEventListener("beforeunload", this.onLeave); },
  methods: {
    options(field) { return this.start.options[field.from] ?? null; },
    set(name, value) { this.body = { ...this.body, [name]: value }; },
    setIn(i, name, value) { this.items(this.body[this.list].map((one, n) => (n === i ? { ...one, [name]: value } : one))); },
    items(all) { this.body = { ...this.body, [this.list]: all }; },
    add() { this.items([...this.body[this.list], clone(this.start.fresh)]); },
    drop(i) { this.items(this.body[this.list].filter((_, n) => n !== i)); },
    move(i, by) { const all = [...this.body[this.list]]; all.splice(i + by, 0, ...all.splice(i, 1)); this.items(all); },
    async put(body, text) {
      this.busy = true;
      try { const kept = await this.call("save", { version: this.version, body }); this.kept = kept.body; this.version = kept.version; this.body = clone(kept.body); this.versions = null; this.say(text); } finally { this.busy = false; }
    },
    save() { return this.put(this.body, this.t.setting_saved); },
    restore(one) { return this.put(one.body, this.filled(this.t.restored, { version: one.version })); },
    clone,
    async history() { this.versions = this.versions ? null : await this.call("versions"); },
  },
  template: `
<section class="card stack settings" :aria-label="t.edit_title"><div class="row"><h2>{{ t.edit_title }}</h2><span class="dim">{{ version ? t.version + ' ' + version : t.from_file }}</span><span class="grow"></span><button type="button" class="button" :aria-expanded="open" @click="open = !open">{{ open ? t.close : t.edit }}</button></div>
  <form v-if="open" class="stack" @submit.prevent="save"><p class="dim">{{ t.edit_hint }}</p>
    <template v-if="list"><fieldset v-for="(one, i) in body[list]" :key="i" class="item"><legend>{{ t.item }} {{ i + 1 }}</legend><div class="fields"><Field v-for="field in start.fields" :key="field.name" :field="field" :value="one[field.name]" :options="options(field)" :t="t" @change="(value) => setIn(i, field.name, value)" /></div>
      <div class="row"><button type="button" class="button small" :disabled="!i" @click="move(i, -1)">{{ t.move_up }}</button><button type="button" class="button small" :disabled="i === body[list].length - 1" @click="move(i, 1)">{{ t.move_down }}</button><span class="grow"></span><button type="button" class="button small quiet danger" @click="drop(i)">{{ t.drop_item }}</button></div></fieldset>
      <div class="row"><button type="button" class="button" @click="add">{{ t.add_item }}</button></div></template>
    <div v-else class="fields"><Field v-for="field in start.fields" :key="field.name" :field="field" :value="body[field.name]" :options="options(field)" :t="t" @change="(value) => set(field.name, value)" /></div>
    <div class="row"><button class="button primary" :disabled="busy || !changed">{{ t.save }}</button><button type="button" class="button" :disabled="!changed" @click="body = clone(kept)">{{ t.drop }}</button><span class="grow"></span><button type="button" class="button quiet" :aria-expanded="!!versions" @click="history">{{ t.versions }}</button></div>
    <Versions v-if="versions" :versions="versions" :t="t" :zone="zone" editable @restore="restore" />
  </form><Toasts :toasts="toasts" /></section>`,
};
