// Enrolment: a picture in, at once what it is good for, then name and group. Also one more picture of somebody.
import { Icon, at, filled, percent } from "/assets/panel.js";
import { Api } from "/assets/api.js";

const LONGEST = 2048; // what the console looks at: a telephone's picture is made smaller here, not sent whole

/** A file as a JPEG of at most LONGEST px, upright, in base64; one that the browser can't read goes as it is. */
async function packed(file) {
  let data = file;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" }), scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    data = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  } catch { /* no picture, or of another kind: the console says what is wrong with it */ }
  const bytes = new Uint8Array(await data.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return { base64: btoa(text), url: URL.createObjectURL(data) };
}

export const Enrolment = {
  mixins: [Api],
  props: { begin: Object, t: Object, groups: Array, people: Array, zone: String, cameras: Object, search: Boolean },
  emits: ["done", "close", "say"],
  components: { Icon },
  data() { return { source: this.begin.source, picture: this.begin.picture, seen: null, checking: false, over: false, name: "", group: "", sure: false, busy: false, size: null, sightings: null }; },
  computed: {
    person() { return this.begin.person ?? null; },
    refusal() { return this.seen?.refusal ?? null; },
    like() { return this.refusal?.reason === "someone_else" ? this.people.find((one) => one.id === this.refusal.person_id) ?? { id: this.refusal.person_id, name: "?" } : null; },
    usable() { return this.seen && (!this.refusal || (this.like && this.sure)); },
    choosing() { return this.refusal?.reason === "several_faces"; },
  },
  mounted() { this.before = document.activeElement; this.$refs.dialog.showModal(); this.onPaste = (event) => { const file = event.clipboardData?.files[0]; if (file) this.take(file); }; addEventListener("paste", this.onPaste); if (this.source) this.examine(); },
  unmounted() { removeEventListener("paste", this.onPaste); if (this.before?.isConnected) this.before.focus({ preventScroll: true }); },
  methods: {
    filled, percent,
    say(text, kind) { this.$emit("say", text, kind); this.checking = this.busy = false; },
    async take(file) {
      if (!file) return;
      const { base64, url } = await packed(file);
      this.source = { from: "upload", picture: base64 }; this.picture = url; this.size = null;
      await this.examine();
    },
    async examine() {
      this.checking = true; this.seen = null; this.sure = false; this.sightings = null;
      this.seen = await this.api("POST", "/api/people/examine", { source: this.source, person_id: this.person?.id ?? "" });
      this.checking = false;
      this.$nextTick(() => (this.choosing ? this.$el.querySelector(".box") : this.refusal ? null : this.$refs.name ?? this.$refs.send)?.focus());
    },
    choose(number) { this.source = { ...this.source, face: number }; this.examine(); },
    place([x1, y1, x2, y2]) { return { left: x1 * 100 + "%", top: y1 * 100 + "%", width: (x2 - x1) * 100 + "%", height: (y2 - y1) * 100 + "%" }; },
    marked(i) { return ["box", { chosen: this.seen.chosen === i, bad: this.seen.chosen === i && this.refusal }]; },
    async look() { this.sightings = (await this.api("POST", "/api/sightings/search", { source: this.source, most: 20 })).sightings; },
    sighting(one) { return filled(this.t.sighting, { at: at(one.at_ms, this.zone, "stamp"), camera: this.cameras[one.camera] ?? one.camera, score: one.score.toFixed(2) }); },
    again() { this.source = null; this.picture = ""; this.seen = null; this.$nextTick(() => this.$refs.choose?.focus()); },
    async send() {
      if (!this.usable || this.busy) return;
      this.busy = true;
      if (this.person) return this.add(this.person);
      const detail = await this.api("POST", "/api/people", { name: this.name, group: this.group, source: this.source, sure: this.sure });
      this.$emit("done", detail, filled(this.t.enrolled, { name: detail.person.name }));
    },
    async add(person, sure = this.sure) { const detail = await this.api("POST", `/api/people/${person.id}/pictures`, { source: this.source, sure }); this.$emit("done", detail, this.t.added); },
  },
  template: `
<dialog ref="dialog" class="enrolment" :aria-label="person ? t.add_picture : t.enrol" @close="$emit('close')" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="over = false; take($event.dataTransfer.files[0])">
  <form @submit.prevent="send"><h2>{{ person ? t.add_picture + ': ' + person.name : t.enrol }}</h2>
    <div v-if="!source" :class="['dropzone', { over }]"><Icon name="user" style="width:44px;height:44px"/><p>{{ t.drop }}</p><label class="button primary"><input ref="choose" type="file" class="sr" accept="image/jpeg,image/png,image/webp" autofocus @change="take($event.target.files[0])">{{ t.choose_file }}</label><p class="dim">{{ t.drop_hint }}</p></div>
    <div v-else class="tried">
      <div class="seen"><img v-if="picture" :src="picture" :alt="source.from === 'upload' ? '' : t['from_' + source.from]" @error="picture = ''"><Icon v-else name="user"/>
        <template v-if="seen"><template v-for="(face, i) in source.from === 'upload' ? seen.faces : []" :key="i"><button v-if="seen.faces.length > 1" type="button" :class="marked(i)" :style="place(face.xyxy)" :aria-label="filled(t.face_number, { number: i + 1 })" :aria-pressed="seen.chosen === i" @click="choose(i)"></button><span v-else :class="marked(i)" :style="place(face.xyxy)"></span></template></template></div>
      <div class="stack" role="status" aria-live="polite">
        <p v-if="checking" class="dim">{{ t.checking }}</p>
        <template v-else-if="seen"><h3 :class="choosing ? '' : refusal ? 'badword' : 'goodword'">{{ refusal ? (choosing ? t.which : t.bad) : t.good }}</h3><p class="said">{{ choosing ? t.which_hint : refusal ? refusal.text : t.good_hint }}</p>
          <p v-if="seen.strength">{{ t.quality }} <b>{{ percent(seen.strength) }}</b> <span class="meter" aria-hidden="true"><i :style="{ width: seen.strength * 100 + '%' }"></i></span></p></template>
        <template v-if="like"><button v-if="!person" type="button" class="button" @click="add(like, false)">{{ filled(t.add_to, { name: like.name }) }}</button><label class="check"><input type="checkbox" v-model="sure">{{ person ? filled(t.sure_picture, { name: person.name }) : t.sure }}</label></template>
        <button v-if="search && seen && seen.chosen !== null" type="button" class="button small" @click="look">{{ t.where_seen }}</button>
        <template v-if="sightings"><p v-if="!sightings.length" class="dim">{{ t.not_seen }}</p><ul v-else class="plain sightings" tabindex="0" :aria-label="t.where_seen"><li v-for="one in sightings" :key="one.track">{{ sighting(one) }}</li></ul></template>
        <button v-if="source.from === 'upload'" type="button" class="button small" @click="again">{{ t.another }}</button></div></div>
    <template v-if="!person && usable"><label class="field">{{ t.name }}<input ref="name" v-model="name" required maxlength="200" autocomplete="off"></label>
      <label class="field">{{ t.group }}<input v-model="group" maxlength="100" list="groups" autocomplete="off"><datalist id="groups"><option v-for="one in groups" :key="one" :value="one"></option></datalist><span class="dim hint">{{ t.group_hint }}</span></label></template>
    <div class="actions"><button type="button" class="button" @click="$refs.dialog.close()">{{ t.cancel }}</button><button v-if="source" ref="send" class="button primary" :disabled="!usable || busy">{{ person ? t.do_add : t.do_enrol }}</button></div></form>
</dialog>`,
};
