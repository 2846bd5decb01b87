// The answers that need a word or a choice first, and the list of keys.
const verdict = (value) => ({ action: { action: "verdict", verdict: value } });

/** What each key does: `action` at once, `asks` after a question. */
export const KEYS = {
  a: { action: { action: "acknowledge" } }, t: verdict("true"), f: verdict("false"), n: verdict("nuisance"),
  s: { asks: "snooze" }, e: { asks: "escalate" }, c: { asks: "comment" }, m: { asks: "assign" }, h: { asks: "hold" }, p: { own: "deny" }, i: { own: "askPerson" }, b: { own: "askMissed" }, "?": {},
};
const MINUTES = [15, 60, 240, 480];

export const Asking = {
  props: { kind: String, count: Number, t: Object, operators: Array, find: Function },
  emits: ["done"],
  data() { return { text: "", name: "", to: this.kind === "escalate" ? (this.operators.find((one) => one.leads) ?? this.operators[0])?.name ?? "" : "", MINUTES, people: [] }; },
  watch: { text: { immediate: true, async handler(text) { if (this.kind === "person") this.people = await this.find(text); } } },
  mounted() {
    this.before = document.activeElement;
    this.$refs.dialog.showModal();
    this.$refs.dialog.querySelector("[data-first]")?.focus();
  },
  unmounted() { if (this.before?.isConnected) this.before.focus({ preventScroll: true }); },
  computed: {
    leading() { return this.kind === "escalate" ? this.operators.filter((one) => one.leads) : this.operators; },
    keys() {
      return [["j", "k"], ["a"], ["t"], ["f"], ["n"], ["s"], ["e"], ["c"], ["m"], ["h"], ["p"], ["i"], ["x"], ["Shift"], ["/"], ["o"], ["z"], ["w"], ["b"], ["Esc"], ["?"]].map((keys) => ({ keys, text: this.t["help_" + keys[0].toLowerCase()] }));
    },
  },
  methods: {
    send() {
      const text = this.text.trim();
      if (this.kind === "comment") { if (text) this.$emit("done", { action: "comment", text }); }
      else if (this.kind === "assign") { if (this.to) this.$emit("done", { action: "assign", to: this.to }); }
      else if (this.kind === "hold") { if (this.name.trim()) this.$emit("done", { action: "hold", case: this.name.trim(), note: text }); }
      else if (this.kind === "escalate") { if (this.to) this.$emit("done", { action: "escalate", to: this.to, note: text }); }
    },
    snooze(minutes) { this.$emit("done", { action: "snooze", minutes }); },
    number(event) { if (this.kind === "snooze" && MINUTES[event.key - 1]) { event.preventDefault(); this.snooze(MINUTES[event.key - 1]); } },
  },
  template: `
<dialog ref="dialog" :aria-label="t['ask_' + kind]" @close="$emit('done', null)" @cancel.prevent="$emit('done', null)" @click.self="$emit('done', null)" @keydown="number">
  <form @submit.prevent="send">
    <h2>{{ t['ask_' + kind] }}<span v-if="count > 1" class="dim"> · {{ count }} {{ t.alerts }}</span></h2>
    <dl v-if="kind === 'help'" class="keys"><template v-for="one in keys" :key="one.text"><dt><kbd v-for="key in one.keys" :key="key" style="margin-left:4px">{{ key }}</kbd></dt><dd>{{ one.text }}</dd></template></dl>
    <template v-if="kind === 'snooze'"><p class="dim">{{ t.snooze_hint }}</p><div class="choices"><button v-for="(minutes, i) in MINUTES" :key="minutes" type="button" class="button" :data-first="i === 0 || null" @click="snooze(minutes)"><kbd>{{ i + 1 }}</kbd>{{ t['snooze_' + minutes] }}</button></div></template>
    <template v-if="kind === 'person'"><p class="dim">{{ t.person_hint }}</p><label class="field">{{ t.find_person }}<input v-model="text" type="search" data-first autocomplete="off"></label><div class="picker"><button v-for="one in people" :key="one.id" type="button" class="button" @click="$emit('done', { action: 'is_person', person: one })">{{ one.name }}<span v-if="one.group" class="badge accent">{{ one.group }}</span></button><p v-if="!people.length" class="dim">{{ t.no_person }}</p></div></template>
    <label v-if="kind === 'assign' || kind === 'escalate'" class="field">{{ t[kind + '_to'] }}<select v-model="to" data-first required><option value="" disabled>–</option><option v-for="one in leading" :key="one.name" :value="one.name">{{ one.name }} · {{ t['role_' + one.role] }}</option></select></label>
    <label v-if="kind === 'hold'" class="field">{{ t.hold_case }}<input v-model="name" data-first maxlength="200" required></label>
    <label v-if="['comment', 'escalate', 'hold'].includes(kind)" class="field">{{ t[kind + '_text'] }}<textarea v-model="text" :data-first="kind === 'comment' || null" maxlength="2000" :required="kind === 'comment'" @keydown.ctrl.enter="send"></textarea></label>
    <div class="actions"><button type="button" class="button" :data-first="kind === 'help' || null" @click="$emit('done', null)">{{ kind === 'help' ? t.close : t.cancel }}</button>
      <button v-if="!['help', 'snooze', 'person'].includes(kind)" class="button primary">{{ t['send_' + kind] }}</button></div>
  </form>
</dialog>`,
};
