// The site as a file: downloaded, or brought here, looked at as differences, and put in force.
export const Exchange = {
  props: { t: Object, disabled: Boolean, plan: Function, apply: Function },
  emits: ["applied"],
  data: () => ({ text: "", name: "", remove: false, found: null, error: "", busy: false, open: "" }),
  computed: {
    groups() { return ["add", "change", "remove"].map((action) => ({ action, all: this.found.differences.filter((one) => one.action === action) })).filter((one) => one.all.length); },
    notes() { return ["left", "changed"].map((kind) => ({ kind, all: this.found.notes.filter((one) => one.kind === kind) })).filter((one) => one.all.length); },
  },
  methods: {
    async take(event) {
      const file = event.target.files[0];
      if (!file) return;
      this.name = file.name; this.text = await file.text(); event.target.value = "";
      await this.look();
    },
    async look() {
      this.busy = true; this.error = ""; this.found = null;
      try { this.found = await this.plan(this.text, this.remove); } catch (error) { this.error = error.message; } finally { this.busy = false; }
    },
    async put() {
      this.busy = true;
      try { const count = this.found.differences.length; this.$emit("applied", await this.apply(this.text, this.found.digest, this.remove), count); this.found = null; this.text = ""; } catch { await this.look(); } finally { this.busy = false; }
    },
    called(one) { return one.camera && one.name ? `${one.camera} / ${one.name}` : one.camera || one.name || this.t.tab_site; },
  },
  template: `
<section class="scroll site" :aria-label="t.tab_file" tabindex="0"><div class="card stack" style="gap:14px"><h2>{{ t.export_title }}</h2><p class="dim">{{ t.export_hint }}</p><div class="row"><a :class="['button', { disabled }]" :href="disabled ? undefined : '/api/config'" download>{{ t.export }}</a></div></div>
<div class="card stack" style="gap:14px"><h2>{{ t.import_title }}</h2><p class="dim">{{ t.import_hint }}</p>
  <label class="field">{{ t.choose_file }}<input type="file" accept=".yml,.yaml,text/yaml" :disabled="disabled || busy" @change="take"></label>
  <label v-if="text" class="check"><input type="checkbox" v-model="remove" :disabled="busy" @change="look">{{ t.remove_missing }}</label>
  <p v-if="error" class="note bad" role="alert">{{ name }}: {{ error }}</p>
  <div v-if="found" class="stack" style="gap:12px" role="status"><h3>{{ name }} <span class="badge">{{ t['source_' + found.source] }}</span></h3>
    <p v-if="!found.differences.length">{{ t.no_differences }}</p>
    <div v-for="group in groups" :key="group.action"><h3>{{ t['would_' + group.action] }} ({{ group.all.length }})</h3><ul class="plan"><li v-for="one in group.all" :key="one.kind + called(one)"><details><summary><span class="badge">{{ t['object_' + one.kind] }}</span> {{ called(one) }}</summary><pre v-if="one.before">− {{ JSON.stringify(one.before) }}</pre><pre v-if="one.after">+ {{ JSON.stringify(one.after) }}</pre></details></li></ul></div>
    <p v-if="found.sections.length" class="note">{{ t.sections_stay }} {{ found.sections.join(', ') }}</p>
    <details v-for="group in notes" :key="group.kind" :open="group.kind === 'left'"><summary>{{ t['notes_' + group.kind] }} ({{ group.all.length }})</summary><table class="table"><tbody><tr v-for="one in group.all" :key="one.path + one.why"><th scope="row"><code>{{ one.path }}</code></th><td>{{ one.why }}</td></tr></tbody></table></details>
    <div class="row sticky"><button type="button" class="button primary" :disabled="busy || !found.differences.length" @click="put">{{ t.apply }}</button><button type="button" class="button" @click="found = null; text = ''">{{ t.cancel }}</button></div></div></div></section>`,
};
