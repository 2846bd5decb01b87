// Who an alert is about: the face as it was seen, how sure, who else it may be, and what can be said of it.
import { Icon, filled, percent } from "/assets/panel.js";

export const Identity = {
  props: { one: Object, alert: String, t: Object },
  emits: ["act"],
  components: { Icon },
  data: () => ({ failed: false }),
  watch: { "one.crop"() { this.failed = false; } },
  computed: {
    name() { return this.one.name || (this.one.pseudonym ? this.t.identity_unknown : this.t["identity_" + this.one.decision]); },
    tone() { return { identified: "accent", unknown: "", unsure: "warn" }[this.one.decision]; },
    strangers() { const share = this.one.strangers; return share < 1e-6 ? this.t.identity_none : filled(this.t.identity_one_in, { count: Math.round(1 / share).toLocaleString("en") }); },
  },
  methods: { filled, percent },
  template: `
<section class="card identity" :aria-label="t.identity"><span class="thumb"><img v-if="one.crop && !failed" :src="one.crop" :alt="t.identity_face" @error="failed = true"><Icon name="user"/></span>
  <div class="stack"><div class="row"><h2>{{ name }}</h2><span v-if="one.group" class="badge accent">{{ one.group }}</span><span :class="['badge', tone]">{{ t['identity_' + one.decision] }}</span><span v-if="one.denied" class="badge bad">{{ t.identity_denied }}</span></div>
    <dl class="values"><template v-if="one.person_id || one.score"><dt>{{ t.identity_score }}</dt><dd><b>{{ one.score.toFixed(2) }}</b> <span class="dim">{{ filled(t.identity_needed, { threshold: one.threshold.toFixed(2) }) }}</span></dd><dt>{{ t.identity_strangers }}</dt><dd>{{ strangers }}</dd></template>
      <template v-if="one.looks"><dt>{{ t.identity_looks }}</dt><dd>{{ one.looks }} <span class="dim">{{ filled(t.identity_quality, { quality: percent(one.quality) }) }}</span></dd></template>
      <template v-if="one.pseudonym"><dt>{{ t.identity_pseudonym }}</dt><dd>{{ one.pseudonym.slice(0, 6) }} · {{ one.visits }} {{ t.identity_visits }}</dd></template>
      <dt>{{ t.identity_others }}</dt><dd><template v-if="one.runners_up.length"><span v-for="(other, i) in one.runners_up" :key="other.person_id">{{ i ? ', ' : '' }}{{ other.name }} <span class="dim">{{ other.score.toFixed(2) }}</span></span></template><span v-else class="dim">{{ t.identity_no_others }}</span></dd></dl>
    <div class="row"><button v-if="one.person_id && !one.denied" class="button small" :disabled="!one.may_deny" @click="$emit('act', 'p')">{{ t.key_p }} <kbd>p</kbd></button><button v-if="one.may_say" class="button small" @click="$emit('act', 'i')">{{ t.key_i }} <kbd>i</kbd></button><a v-if="one.may_enrol && !one.person_id" class="button small" :href="'/people?alert=' + encodeURIComponent(alert)">{{ t.key_enrol }}</a></div></div>
</section>`,
};
