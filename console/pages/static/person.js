// One enrolled person: pictures, name and group, what operators denied, removal with what follows from it.
import { Icon, at, filled, percent } from "/assets/panel.js";
import { Api } from "/assets/api.js";

export const Person = {
  mixins: [Api],
  props: { d: Object, t: Object, zone: String, may: Boolean, standing: Object, cameras: Object, groups: Array },
  emits: ["changed", "removed", "close", "say", "add"],
  components: { Icon },
  data() { return { name: this.d.person.name, group: this.d.person.group }; },
  watch: { "d.person"(after) { this.name = after.name; this.group = after.group; } },
  computed: {
    path() { return `/api/people/${this.d.person.id}`; },
    edited() { return this.name.trim() && (this.name !== this.d.person.name || this.group !== this.d.person.group); },
  },
  methods: {
    filled, percent,
    at(ms) { return at(ms, this.zone, "stamp"); },
    say(text, kind) { this.$emit("say", text, kind); },
    source(one) { return this.filled(this.t.added_by, { source: this.t["source_" + one.source.split("/")[0]] ?? one.source, who: one.who, at: this.at(one.at_ms) }); },
    async save() { this.$emit("changed", await this.api("PUT", this.path, { name: this.name, group: this.group })); this.say(this.t.saved); },
    async drop(one) { this.$emit("changed", await this.api("DELETE", `${this.path}/pictures/${one.id}`)); this.say(this.t.picture_removed); },
    async undo(one) { await this.api("DELETE", `${this.path}/denials/${one.id}`); this.say(this.t.undone); this.$emit("changed", await this.api("GET", this.path)); },
    async remove() { this.$refs.dialog.close(); await this.api("DELETE", this.path); this.$emit("removed", this.d.person.name); },
  },
  template: `
<aside class="side stack" tabindex="-1" :aria-label="d.person.name" @keydown.escape="$emit('close')">
  <div class="row"><h2>{{ d.person.name }}</h2><span class="grow"></span><button class="iconbutton" :aria-label="t.close" @click="$emit('close')"><Icon name="close"/></button></div>
  <p class="dim">{{ filled(t.enrolled_by, { who: d.person.created_by, at: at(d.person.created_at_ms) }) }}<template v-if="d.person.until_ms"><br>{{ filled(t.enrolled_until, { at: at(d.person.until_ms) }) }}</template></p>
  <form v-if="may" class="stack" @submit.prevent="save"><label class="field">{{ t.name }}<input v-model="name" required maxlength="200" autocomplete="off"></label>
    <label class="field">{{ t.group }}<input v-model="group" maxlength="100" list="known-groups" autocomplete="off"><datalist id="known-groups"><option v-for="one in groups" :key="one" :value="one"></option></datalist></label>
    <div class="row"><span class="grow"></span><button class="button" :disabled="!edited">{{ t.save }}</button></div></form>
  <h3>{{ t.pictures }}</h3>
  <ul class="shots"><li v-for="one in d.pictures" :key="one.id"><span class="thumb"><img :src="path + '/pictures/' + one.id" :alt="source(one)" @error="$event.target.remove()"><Icon name="user"/></span><span><b>{{ percent(one.strength) }}</b> <span class="meter" aria-hidden="true"><i :style="{ width: one.strength * 100 + '%' }"></i></span><br><span class="dim">{{ source(one) }}</span><br v-if="!one.usable"><span v-if="!one.usable" class="badge warn">{{ t.outdated }}</span></span>
    <button v-if="may && d.pictures.length > 1" class="iconbutton" :aria-label="t.remove_picture" :title="t.remove_picture" @click="drop(one)"><Icon name="close"/></button></li></ul>
  <button v-if="may" class="button" @click="$emit('add')"><Icon name="plus"/>{{ t.add_picture }}</button>
  <h3>{{ t.denials }}</h3><p class="dim">{{ d.denials.length ? t.denials_hint : t.no_denials }}</p>
  <ul v-if="d.denials.length" class="shots"><li v-for="one in d.denials" :key="one.id"><span class="grow">{{ filled(t.denial, { at: at(one.at_ms), camera: cameras[one.camera] ?? one.camera, who: one.who }) }}<br><a :href="'/?status=all&alert=' + encodeURIComponent(one.alert)">{{ t.see_alert }}</a></span><button class="button small" @click="undo(one)">{{ t.undo }}</button></li></ul>
  <div v-if="may" class="row"><span class="grow"></span><button class="button danger" @click="$refs.dialog.showModal()">{{ t.remove }}</button></div>
  <dialog ref="dialog" :aria-label="filled(t.remove_title, { name: d.person.name })"><div><h2>{{ filled(t.remove_title, { name: d.person.name }) }}</h2>
    <ul class="plain"><li>{{ filled(t.remove_1, { seconds: standing.stops_within_s }) }}</li><li>{{ t.remove_2 }}</li><li>{{ filled(t.remove_3, { minutes: standing.forgotten_within_s / 60 }) }}</li><li>{{ filled(t.remove_4, { days: standing.seen_days }) }}</li></ul>
    <div class="actions"><button class="button" @click="$refs.dialog.close()">{{ t.cancel }}</button><button class="button danger" @click="remove">{{ t.do_remove }}</button></div></div></dialog>
</aside>`,
};
