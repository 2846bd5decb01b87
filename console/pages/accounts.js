// Accounts: invite people by a one-time link, change what they may do, let them in no more.
import { Icon, Panel, Toasts } from "/assets/panel.js";

export default {
  mixins: [Panel],
  components: { Icon, Toasts },
  data() { return { people: this.start.people, edited: null, link: "" }; },
  methods: {
    edit(person) {
      this.edited = person ? { ...person, cameras: person.cameras ? [...person.cameras] : [], all: !person.cameras, fresh: false } : { name: "", role: "operator", cameras: [], all: true, disabled: false, fresh: true };
      this.$nextTick(() => this.$refs.dialog.showModal());
    },
    cameras() { return this.edited.all ? null : this.edited.cameras; },
    async save() {
      const { name, role, disabled, fresh } = this.edited;
      await this.done(await this.call(fresh ? "invite" : "change", fresh ? { name, role, cameras: this.cameras() } : { name, role, cameras: this.cameras(), disabled }));
    },
    async again() { const { name, role } = this.edited; await this.done(await this.call("invite", { name, role, cameras: this.cameras() })); },
    async remove() { if (confirm(this.filled(this.t.remove_sure, { name: this.edited.name }))) await this.done(await this.call("remove", { name: this.edited.name })); },
    async done(answer) { this.people = answer.people; this.$refs.dialog.close(); if (answer.link) { this.link = location.origin + answer.link; this.$nextTick(() => this.$refs.link.showModal()); } },
    state(one) { return one.disabled ? "disabled" : one.invited ? "invited" : one.locked_until_ms > this.clock ? "locked" : one.provider ? "provider" : "active"; },
    seen(one) { return one.cameras ? one.cameras.map((name) => this.start.cameras.find((camera) => camera.name === name)?.title ?? name).join(", ") || this.t.none : this.t.all; },
  },
  template: `
<div class="page">
  <header><h1>{{ t.title }}</h1><span class="grow"></span><button class="button primary" @click="edit(null)"><Icon name="plus"/>{{ t.invite }}</button></header>
  <section class="card scroll" tabindex="0" :aria-label="t.title"><table class="table"><thead><tr><th scope="col">{{ t.name }}</th><th scope="col">{{ t.role }}</th><th scope="col">{{ t.cameras }}</th><th scope="col">{{ t.state }}</th><th scope="col"><span class="sr">{{ t.change }}</span></th></tr></thead>
    <tbody><tr v-for="one in people" :key="one.name"><td><b>{{ one.name }}</b></td><td>{{ t['role_' + one.role] }}</td><td>{{ seen(one) }}</td><td><span :class="['badge', { active: 'good', provider: 'good', invited: 'accent', locked: 'warn', disabled: 'bad' }[state(one)]]">{{ t['state_' + state(one)] }}</span></td><td class="right"><button class="button small" :aria-label="t.change + ' ' + one.name" @click="edit(one)">{{ t.change }}</button></td></tr></tbody></table></section>
  <dialog ref="dialog" :aria-label="t.change" @close="edited = null"><form v-if="edited" @submit.prevent="save"><h2>{{ edited.fresh ? t.invite : edited.name }}</h2>
    <label v-if="edited.fresh" class="field">{{ t.name }}<input v-model="edited.name" required autocomplete="off" autocapitalize="none" pattern="[A-Za-z0-9][A-Za-z0-9_.@+\\-]{0,63}"></label>
    <label class="field">{{ t.role }}<select v-model="edited.role"><option v-for="role in start.roles" :key="role" :value="role">{{ t['role_' + role] }}</option></select><span class="dim">{{ t['about_' + edited.role] }}</span></label>
    <fieldset><legend>{{ t.cameras }}</legend><label class="check"><input type="checkbox" v-model="edited.all">{{ t.all_cameras }}</label><div v-if="!edited.all" class="ticks"><label v-for="camera in start.cameras" :key="camera.name" class="check"><input type="checkbox" :value="camera.name" v-model="edited.cameras">{{ camera.title }}</label></div></fieldset>
    <label v-if="!edited.fresh" class="check"><input type="checkbox" v-model="edited.disabled">{{ t.disable }}</label>
    <div class="actions"><button v-if="!edited.fresh" type="button" class="button danger" @click="remove">{{ t.remove }}</button><button v-if="!edited.fresh" type="button" class="button" @click="again">{{ t.new_link }}</button><span class="grow"></span><button type="button" class="button" @click="$refs.dialog.close()">{{ t.cancel }}</button><button class="button primary">{{ edited.fresh ? t.make_link : t.save }}</button></div></form></dialog>
  <dialog ref="link" :aria-label="t.link" @close="link = ''"><div><h2>{{ t.link }}</h2><p class="dim">{{ t.link_hint }}</p><input ref="shown" readonly :value="link" :aria-label="t.link" class="mono" @focus="$event.target.select()"><div class="actions"><button class="button" @click="copy($refs.shown)">{{ t.copy }}</button><button class="button primary" @click="$refs.link.close()">{{ t.close }}</button></div></div></dialog>
  <Toasts :toasts="toasts" />
</div>`,
};
