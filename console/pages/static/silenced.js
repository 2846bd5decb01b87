// What operators' answers silence and which rules they snoozed: where, since which answer, until when; and the way back.
import { at } from "/assets/panel.js";

export const Silenced = {
  props: { t: Object, zone: String, me: Object, load: Function, lift: Function, snoozed: Function, end: Function },
  data: () => ({ rows: null, snoozes: [], busy: false }),
  async mounted() { [this.rows, this.snoozes] = await Promise.all([this.load(), this.snoozed()]); },
  methods: {
    at(ms) { return at(ms, this.zone, "stamp"); },
    async take(id) { this.busy = true; try { this.rows = await this.lift(id); } finally { this.busy = false; } },
    async wake(one) { this.busy = true; try { this.snoozes = await this.end(one); } finally { this.busy = false; } },
  },
  template: `<section class="scroll" :aria-label="t.tab_silenced" tabindex="0"><p class="dim">{{ t.silenced_hint }}</p>
  <table v-if="rows && rows.length" class="table rules"><thead><tr><th scope="col">{{ t.camera }}</th><th scope="col">{{ t.rule }}</th><th scope="col">{{ t.silenced_alert }}</th><th scope="col">{{ t.silenced_by }}</th><th scope="col">{{ t.silenced_hours }}</th><th scope="col">{{ t.silenced_model }}</th><th scope="col">{{ t.silenced_until }}</th><th scope="col"><span class="sr">{{ t.silence_lift }}</span></th></tr></thead>
    <tbody><tr v-for="one in rows" :key="one.id"><td>{{ one.camera }}</td><td>{{ one.rule }}</td><td><a :href="'/?status=all&alert=' + encodeURIComponent(one.alert)">{{ one.label }}</a></td><td>{{ one.operator }} · {{ one.verdict }} · {{ at(one.made_at_ms) }}</td><td>{{ one.hours }}</td><td>{{ one.model }}</td><td>{{ at(one.until_ms) }}</td><td><button v-if="me.may_configure" class="button small" :disabled="busy" :aria-label="t.silence_lift + ': ' + one.rule + ', ' + one.camera" @click="take(one.id)">{{ t.silence_lift }}</button></td></tr></tbody></table>
  <div v-else-if="rows" class="empty"><h2>{{ t.silenced_none }}</h2></div>
  <template v-if="snoozes.length"><h2>{{ t.snoozed }}</h2><p class="dim">{{ t.snoozed_hint }}</p>
  <table class="table rules"><thead><tr><th scope="col">{{ t.camera }}</th><th scope="col">{{ t.rule }}</th><th scope="col">{{ t.snoozed_by }}</th><th scope="col">{{ t.silenced_until }}</th><th scope="col"><span class="sr">{{ t.snooze_end }}</span></th></tr></thead>
    <tbody><tr v-for="one in snoozes" :key="one.rule + '/' + one.camera"><td>{{ one.camera }}</td><td>{{ one.rule }}</td><td>{{ one.operator }}</td><td>{{ at(one.until_ms) }}</td><td><button v-if="me.may_answer" class="button small" :disabled="busy" :aria-label="t.snooze_end + ': ' + one.rule + ', ' + one.camera" @click="wake(one)">{{ t.snooze_end }}</button></td></tr></tbody></table></template></section>`,
};
