// One unknown person: their face, how often and where they came, and what can be said of them.
import { Icon, at, filled } from "/assets/panel.js";

export const Unknown = {
  props: { one: Object, t: Object, zone: String, cameras: Object, may: Boolean, ticked: Boolean, many: Boolean },
  emits: ["tick", "command", "name"],
  components: { Icon },
  data: () => ({ chosen: [] }),
  computed: {
    short() { return this.one.pseudonym.slice(0, 6); },
    title() { return filled(this.t.unknown, { name: this.short }); },
    face() { return `/api/people/unknowns/${encodeURIComponent(this.one.pseudonym)}/face`; },
    splits() { return this.chosen.length > 0 && this.chosen.length < this.one.visits.length; },
  },
  methods: {
    filled,
    at(ms) { return at(ms, this.zone, "stamp"); },
    visit(one) { return filled(this.t.visit, { at: this.at(one.at_ms), camera: this.cameras[one.camera] ?? one.camera }); },
    split() { this.$emit("command", { type: "split", pseudonym: this.one.pseudonym, tracks: this.chosen }, this.t.split_done); this.chosen = []; },
  },
  template: `
<section class="card unknown" :aria-label="title"><span class="thumb large"><img :src="face" :alt="title" loading="lazy" @error="$event.target.remove()"><Icon name="user"/></span>
  <div class="stack"><div class="row"><h2>{{ title }}</h2><span class="badge">{{ one.came === 1 ? t.came_once : filled(t.came, { count: one.came }) }}</span><span class="grow"></span><label v-if="may && many" class="check"><input type="checkbox" :checked="ticked" :aria-label="filled(t.choose_one, { name: title })" @change="$emit('tick')"></label></div>
    <p class="dim">{{ filled(t.last_seen, { at: at(one.last_at_ms) }) }} · {{ filled(t.first_seen, { at: at(one.first_at_ms) }) }}</p>
    <fieldset v-if="may && one.visits.length > 1"><legend>{{ t.visits }}</legend><label v-for="visit_ in one.visits" :key="visit_.track" class="check"><input type="checkbox" :value="visit_.track" v-model="chosen">{{ visit(visit_) }}</label></fieldset>
    <ul v-else class="plain"><li v-for="visit_ in one.visits" :key="visit_.track">{{ visit(visit_) }}</li></ul>
    <div v-if="may" class="row"><button class="button small primary" @click="$emit('name')">{{ t.name_them }}</button><button v-if="one.visits.length > 1" class="button small" :disabled="!splits" @click="split">{{ t.split }}</button><button class="button small quiet" @click="$emit('command', { type: 'forget', pseudonym: one.pseudonym }, t.forgotten)">{{ t.forget }}</button></div></div>
</section>`,
};
