// People: who is enrolled, enrolment with its quality check, unknown people.
import { Icon, Panel, Toasts } from "/assets/panel.js";
import { Api } from "/assets/api.js";
import { Enrolment } from "/assets/enrolment.js";
import { Person } from "/assets/person.js";
import { Unknown } from "/assets/unknown.js";

const LIMIT = 500;

export default {
  mixins: [Panel, Api],
  components: { Enrolment, Icon, Person, Toasts, Unknown },
  data() { return { tab: "enrolled", people: [], group: null, text: "", chosen: null, unknowns: [], ticked: [], enrolling: null, loaded: false }; },
  computed: {
    on() { return this.start.standing.on; },
    groups() { return [...new Set(this.people.map((one) => one.group))].sort(); },
    shown() { return this.group === null ? this.people : this.people.filter((one) => one.group === this.group); },
    isFull() { return this.people.length >= LIMIT; },
  },
  async mounted() {
    await Promise.all([this.load(), this.loadUnknowns()]);
    this.loaded = true;
    if (this.start.person) await this.open(this.start.person);
    if (this.start.alert && this.start.may_enrol && this.on) this.enrolling = { source: { from: "alert", alert: this.start.alert }, picture: `/pictures/${this.start.alert}/face.jpg` };
    this.looking = setInterval(() => this.tab === "unknown" && this.loadUnknowns(), 5000);
  },
  unmounted() { clearInterval(this.looking); },
  methods: {
    async load() { this.people = (await this.api("GET", `/api/people?limit=${LIMIT}&text=${encodeURIComponent(this.text)}`)).people; if (this.group !== null && !this.groups.includes(this.group)) this.group = null; },
    async loadUnknowns() { this.unknowns = (await this.api("GET", "/api/people/unknowns")).unknowns; this.ticked = this.ticked.filter((id) => this.unknowns.some((one) => one.pseudonym === id)); },
    typed(text) { this.text = text; clearTimeout(this.typing); this.typing = setTimeout(() => this.load(), 200); },
    async open(id) { this.chosen = await this.api("GET", `/api/people/${id}`); this.$nextTick(() => this.$refs.person?.$el.focus()); },
    close() { const id = this.chosen?.person.id; this.chosen = null; this.$nextTick(() => document.getElementById("person-" + id)?.focus()); },
    async changed(detail) { this.chosen = detail; await this.load(); },
    async removed(name) { this.chosen = null; this.say(this.filled(this.t.removed, { name })); await this.load(); },
    async done(detail, text) { this.enrolling = null; this.say(text); await Promise.all([this.load(), this.loadUnknowns()]); this.chosen = detail; this.tab = "enrolled"; },
    pictures(one) { return one.pictures === 1 ? this.t.one_picture : this.filled(this.t.some_pictures, { count: one.pictures }); },
    tick(id) { this.ticked = this.ticked.includes(id) ? this.ticked.filter((one) => one !== id) : [...this.ticked.slice(-1), id]; },
    async command(command, text) { await this.api("POST", "/api/people/unknowns/commands", { command }); this.ticked = []; this.say(text); setTimeout(() => this.loadUnknowns(), 700); },
    nameUnknown(one) { this.enrolling = { source: { from: "unknown", pseudonym: one.pseudonym }, picture: `/api/people/unknowns/${encodeURIComponent(one.pseudonym)}/face` }; },
  },
  template: `
<div :class="['people', { open: chosen && tab === 'enrolled' }]">
  <div class="page">
    <header><h1>{{ t.title }}</h1>
      <div class="segments" role="tablist"><button role="tab" :aria-selected="tab === 'enrolled'" @click="tab = 'enrolled'">{{ t.tab_enrolled }}</button><button role="tab" :aria-selected="tab === 'unknown'" @click="tab = 'unknown'">{{ t.tab_unknown }}<template v-if="unknowns.length"> · {{ unknowns.length }}</template></button></div>
      <span class="grow"></span><input v-if="tab === 'enrolled'" type="search" :placeholder="t.find" :aria-label="t.find" :value="text" @input="typed($event.target.value)">
      <button v-if="start.may_enrol && on" class="button primary" @click="enrolling = { source: null, picture: '' }"><Icon name="plus"/>{{ t.enrol }}</button></header>
    <section v-if="!on" class="card off" role="note"><h2>{{ t.off_title }}</h2>
      <template v-if="start.standing.fault.includes('vedette faces key')"><p>{{ t.off_why }}</p><p>{{ t.off_how }}</p><pre tabindex="0">{{ t.off_make }}</pre><p>{{ t.off_give }}</p><pre tabindex="0">{{ t.off_start }}</pre></template><p v-else>{{ filled(t.off_wrong, { fault: start.standing.fault }) }}</p></section>
    <p v-if="on && start.standing.renewing" class="card" role="note">{{ filled(t.renewing, { count: start.standing.renewing }) }}</p>
    <template v-if="tab === 'enrolled'">
      <div v-if="groups.length > 1" class="row" role="group" :aria-label="t.group"><button class="button small" :aria-pressed="group === null" @click="group = null">{{ t.all_groups }}</button><button v-for="one in groups" :key="one" class="button small" :aria-pressed="group === one" @click="group = one">{{ one || t.no_group }}</button></div>
      <ul class="faces" :aria-label="t.tab_enrolled"><li v-for="one in shown" :key="one.id"><button :id="'person-' + one.id" :class="['face', { chosen: chosen?.person.id === one.id }]" @click="open(one.id)">
        <span class="thumb"><img v-if="one.picture && on" :src="'/api/people/' + one.id + '/pictures/' + one.picture" alt="" loading="lazy" @error="$event.target.remove()"><Icon name="user"/></span>
        <span class="about"><b>{{ one.name }}</b><span class="row"><span v-if="one.group" class="badge accent">{{ one.group }}</span><span class="dim">{{ pictures(one) }}</span></span><span v-if="one.denials" class="dim">{{ filled(t.denied, { count: one.denials }) }}</span></span></button></li></ul>
      <div v-if="loaded && !people.length" class="empty"><Icon name="user" style="width:44px;height:44px"/><h2>{{ text ? t.none_found : t.empty_title }}</h2><p v-if="!text" style="max-width:56ch">{{ t.empty }}</p><button v-if="!text && start.may_enrol && on" class="button primary" @click="enrolling = { source: null, picture: '' }"><Icon name="plus"/>{{ t.enrol }}</button></div>
      <p v-if="isFull" class="dim">{{ filled(t.more, { count: people.length }) }}</p>
    </template>
    <template v-else>
      <div v-if="unknowns.length > 1 && start.may_enrol" class="row"><span class="dim">{{ t.unknown_hint }}</span><button class="button small" :disabled="ticked.length !== 2" @click="command({ type: 'merge', keep: ticked[0], other: ticked[1] }, t.merged)">{{ t.merge }}</button></div>
      <ul class="unknowns" :aria-label="t.tab_unknown"><li v-for="one in unknowns" :key="one.pseudonym"><Unknown :one="one" :t="t" :zone="zone" :cameras="start.cameras" :may="start.may_enrol && on" :ticked="ticked.includes(one.pseudonym)" :many="unknowns.length > 1" @tick="tick(one.pseudonym)" @command="command" @name="nameUnknown(one)"/></li></ul>
      <div v-if="loaded && !unknowns.length" class="empty"><Icon name="user" style="width:44px;height:44px"/><h2>{{ t.unknown_empty_title }}</h2><p style="max-width:56ch">{{ t.unknown_empty }}</p></div>
    </template>
  </div>
  <Person v-if="chosen && tab === 'enrolled'" ref="person" :key="chosen.person.id" :d="chosen" :t="t" :zone="zone" :csrf="start.csrf" :may="start.may_enrol && on" :standing="start.standing" :cameras="start.cameras" :groups="groups" @changed="changed" @removed="removed" @close="close" @say="say" @add="enrolling = { source: null, picture: '', person: chosen.person }"/>
  <Enrolment v-if="enrolling" :begin="enrolling" :t="t" :csrf="start.csrf" :groups="groups" :people="people" :zone="zone" :cameras="start.cameras" :search="start.may_search" @done="done" @close="enrolling = null" @say="say"/>
  <Toasts :toasts="toasts" />
</div>`,
};
