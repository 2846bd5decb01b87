// Versions of one thing: who changed what of it and when, the latest first, and the way back.
import { at } from "/assets/panel.js";

const named = (before, after) => [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];

export const Versions = {
  props: { versions: Array, t: Object, zone: String, editable: Boolean },
  emits: ["restore"],
  methods: {
    at,
    changes(before, after) { return named(before, after).filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name])).map((name) => ({ name, before: before?.[name], after: after?.[name] })); },
    short(value) { return value === undefined || value === null || value === "" ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value); },
  },
  template: `
<ol class="versions"><li v-if="!versions.length" class="dim">{{ t.no_versions }}</li><li v-for="(one, i) in versions" :key="one.version"><div class="row"><b>{{ t.version }} {{ one.version }}</b><span class="dim">{{ at(one.at_ms, zone, 'stamp') }} · {{ one.who }}</span><span class="grow"></span><button v-if="i && one.body && editable" type="button" class="button small" @click="$emit('restore', one)">{{ t.restore }}</button></div>
  <p v-if="!one.body" class="dim">{{ t.was_removed }}</p><p v-else-if="!versions[i + 1]" class="dim">{{ one.note || t.first_version }}</p><ul v-else class="dim"><li v-for="diff in changes(versions[i + 1].body, one.body)" :key="diff.name">{{ t['field_' + diff.name] ?? diff.name }}: {{ short(diff.before) }} → {{ short(diff.after) }}</li></ul></li></ol>`,
};
