// The own account: a new password, and API tokens whose secret is shown once.
import { Icon, Panel, Toasts } from "/assets/panel.js";

const nothing = () => ({ old: "", new: "", again: "" });

export default {
  mixins: [Panel],
  components: { Icon, Toasts },
  data() { return { tokens: this.start.tokens, typed: nothing(), fresh: null, secret: "" }; },
  methods: {
    async change() {
      if (this.typed.new !== this.typed.again) return this.say(this.t.differ, "bad");
      await this.call("password", { old: this.typed.old, new: this.typed.new });
      this.typed = nothing();
      this.say(this.t.changed);
    },
    begin() { this.fresh = { title: "", scopes: ["read"], days: this.start.days[1] }; this.$nextTick(() => this.$refs.dialog.showModal()); },
    async add() {
      const answer = await this.call("add", this.fresh);
      this.tokens = answer.tokens;
      this.$refs.dialog.close();
      this.secret = answer.secret;
      this.$nextTick(() => this.$refs.secret.showModal());
    },
    async remove(token) {
      if (!confirm(this.filled(this.t.remove_sure, { title: token.title }))) return;
      this.tokens = (await this.call("remove", { token: token.id })).tokens;
    },
  },
  template: `
<div class="page own">
  <header><h1>{{ t.title }}</h1><span class="dim">{{ me.name }} · {{ t['role_' + me.role] }}</span></header>
  <section class="card"><h2>{{ t.password }}</h2>
    <p v-if="start.provider" class="dim">{{ t.provider }}</p>
    <form v-else class="stack" style="max-width:360px" @submit.prevent="change"><input hidden :value="me.name" autocomplete="username">
      <label class="field">{{ t.old }}<input v-model="typed.old" type="password" required autocomplete="current-password"></label>
      <label class="field">{{ t.new }}<input v-model="typed.new" type="password" required minlength="12" autocomplete="new-password"><span class="dim">{{ t.password_hint }}</span></label>
      <label class="field">{{ t.again }}<input v-model="typed.again" type="password" required minlength="12" autocomplete="new-password"></label>
      <div><button class="button primary">{{ t.change }}</button></div></form></section>
  <section v-if="start.scopes.length" class="card"><div class="row"><h2>{{ t.tokens }}</h2><span class="grow"></span><button class="button" @click="begin"><Icon name="plus"/>{{ t.add }}</button></div>
    <p class="dim">{{ t.tokens_hint }} <a href="/api/openapi.json">{{ t.description }}</a></p>
    <p v-if="!tokens.length" class="dim">{{ t.no_tokens }}</p>
    <div v-else class="scroll" tabindex="0" role="region" :aria-label="t.tokens"><table class="table"><thead><tr><th scope="col">{{ t.token }}</th><th scope="col">{{ t.scopes }}</th><th scope="col">{{ t.made }}</th><th scope="col">{{ t.until }}</th><th scope="col"><span class="sr">{{ t.remove }}</span></th></tr></thead>
      <tbody><tr v-for="one in tokens" :key="one.id"><td><b>{{ one.title }}</b></td><td>{{ one.scopes.map((scope) => t['scope_' + scope]).join(', ') }}</td><td>{{ at(one.created_at_ms, 'stamp') }}</td><td>{{ one.expires_at_ms > clock ? at(one.expires_at_ms, 'full') : t.over }}</td><td class="right"><button class="button small danger" :aria-label="t.remove + ' ' + one.title" @click="remove(one)">{{ t.remove }}</button></td></tr></tbody></table></div></section>
  <dialog ref="dialog" :aria-label="t.add" @close="fresh = null"><form v-if="fresh" @submit.prevent="add"><h2>{{ t.add }}</h2>
    <label class="field">{{ t.for_what }}<input v-model="fresh.title" required maxlength="200"></label>
    <fieldset><legend>{{ t.scopes }}</legend><label v-for="scope in start.scopes" :key="scope" class="check"><input v-model="fresh.scopes" type="checkbox" :value="scope">{{ t['scope_' + scope] }}</label></fieldset>
    <label class="field">{{ t.good_for }}<select v-model.number="fresh.days"><option v-for="days in start.days" :key="days" :value="days">{{ days }} {{ t.days }}</option></select></label>
    <div class="actions"><button type="button" class="button" @click="$refs.dialog.close()">{{ t.cancel }}</button><button class="button primary" :disabled="!fresh.scopes.length">{{ t.make }}</button></div></form></dialog>
  <dialog ref="secret" :aria-label="t.secret" @close="secret = ''"><div><h2>{{ t.secret }}</h2><p class="dim">{{ t.secret_hint }}</p><input ref="shown" readonly :value="secret" :aria-label="t.secret" class="mono" @focus="$event.target.select()"><div class="actions"><button class="button" @click="copy($refs.shown)">{{ t.copy }}</button><button class="button primary" @click="$refs.secret.close()">{{ t.close }}</button></div></div></dialog>
  <Toasts :toasts="toasts" />
</div>`,
};
