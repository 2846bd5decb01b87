// One alert in the queue. It is drawn again only when something of it changes.
import { Icon, at, lasting } from "/assets/panel.js";

// The alert is here before its picture: evidence has to fetch the frame first, so one that has just come is not asked for
// its picture at once (in a flood these questions cost more than the rows). Ends after half a minute.
const AGAIN_MS = [700, 1300, 3000, 8000, 16000];

/** What was answered: a question with yes or no. */
export const verdictOf = (one, t) => (one.kind === "question" && t["verdict_question_" + one.verdict]) || t["verdict_" + one.verdict];

export const Row = {
  // minute: the time in coarse steps; fresh: whether it has just come, lit: whether that is to be seen, both asked once.
  props: { row: Object, under: Boolean, chosen: Boolean, ticked: Boolean, minute: Number, seeing: Array, fresh: Boolean, lit: Boolean, t: Object, zone: String },
  emits: ["choose", "tick"],
  components: { Icon },
  data() { return { glows: this.fresh && this.lit, pictured: !this.fresh, tries: 0 }; },
  watch: { "row.snapshot"() { this.pictured = true; this.tries = 0; } },
  mounted() { if (this.fresh && this.row.snapshot) this.again(); },
  unmounted() { clearTimeout(this.waiting); },
  methods: {
    verdictOf,
    again() {
      this.pictured = false;
      clearTimeout(this.waiting);
      if (this.tries < AGAIN_MS.length) this.waiting = setTimeout(() => { this.pictured = true; }, AGAIN_MS[this.tries++]);
    },
  },
  computed: {
    done() { return this.row.status === "answered" || this.row.status === "snoozed"; },
    time() { return at(this.row.started_at_ms, this.zone); },
    since() { return lasting(Math.max(0, this.minute - this.row.started_at_ms)); },
    escalated() { return this.row.status === "open" && this.row.escalated_at_ms > 0; },
    spoken() { return [this.t["severity_" + this.row.severity], this.row.camera_name, this.row.zone, this.row.why, this.time, this.t["status_" + this.row.status]].filter(Boolean).join(", "); },
  },
  template: `
<div :data-id="row.id" :class="['alert', row.severity, { under, chosen, done, fresh: glows }]">
  <label><input type="checkbox" :checked="ticked" :aria-label="t.tick + ' ' + spoken" @change="$emit('tick')"></label>
  <span v-if="!under" class="thumb" @click="$emit('choose')"><img v-if="row.snapshot && pictured" :src="row.snapshot + (tries ? '&try=' + tries : '')" alt="" loading="lazy" decoding="async" @error="again"><Icon v-else name="camera"/></span>
  <button class="open" :aria-current="chosen" :aria-label="spoken" @click="$emit('choose')">
    <span class="top"><span class="sev">{{ t['severity_' + row.severity] }}</span><b>{{ row.camera_name }}<template v-if="row.zone"> · {{ row.zone }}</template></b><time>{{ time }}</time></span>
    <span class="why">{{ row.why }}</span>
    <span v-if="!under" class="meta"><span v-if="row.status === 'open'" :class="['badge', escalated ? 'bad' : 'warn']">{{ escalated ? t.escalated : t.status_open }} · {{ since }}</span>
      <span v-else class="badge" :class="{ accent: row.status === 'acknowledged', good: row.verdict === 'true', bad: row.verdict === 'false' }">{{ row.verdict ? verdictOf(row, t) : t['status_' + row.status] }}</span>
      <span v-if="row.assigned_to" class="badge">→ {{ row.assigned_to }}</span><span v-if="row.state !== 'end'" class="badge good">{{ t.ongoing }}</span><span v-if="row.late" class="badge warn">{{ t.late }}</span>
      <span v-for="who in seeing || []" :key="who" class="badge accent"><span class="avatar" style="width:15px;height:15px;font-size:9px" aria-hidden="true">{{ who[0] }}</span>{{ who }}</span>
      <span v-if="row.kind !== 'question'" class="rule">{{ row.rule }}</span></span>
  </button>
</div>`,
};
