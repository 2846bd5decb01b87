// Shows what was missed: a box over a still picture, drawn with the mouse, a finger or the keyboard, and what it is.

const STEP = 0.01, FIRST = [0.4, 0.35, 0.6, 0.65], LEAST = 0.004;
const clamp = (value) => Math.min(1, Math.max(0, value));

export const Missing = {
  // picture: an address; box: 0-1 of it.
  props: { picture: String, labels: Array, t: Object },
  emits: ["done"],
  data: () => ({ box: null, label: "", size: [16, 10], from: null }),
  mounted() {
    this.label = this.labels[0].value;
    this.before = document.activeElement;
    this.$refs.dialog.showModal();
    this.$refs.svg.focus();
  },
  unmounted() { if (this.before?.isConnected) this.before.focus({ preventScroll: true }); },
  computed: { ready() { return this.box && this.box[2] - this.box[0] >= LEAST && this.box[3] - this.box[1] >= LEAST; } },
  methods: {
    loaded(event) { this.size = [event.target.naturalWidth, event.target.naturalHeight]; },
    place(event) {
      const area = this.$refs.svg.getBoundingClientRect();
      return [clamp((event.clientX - area.left) / area.width), clamp((event.clientY - area.top) / area.height)];
    },
    press(event) { this.from = this.place(event); this.box = [...this.from, ...this.from]; this.$refs.svg.setPointerCapture(event.pointerId); },
    move(event) {
      if (!this.from) return;
      const [x, y] = this.place(event), [a, b] = this.from;
      this.box = [Math.min(a, x), Math.min(b, y), Math.max(a, x), Math.max(b, y)];
    },
    release() { this.from = null; },
    key(event) {
      const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }, by = moves[event.key];
      if (!by) return;
      event.preventDefault();
      const [x1, y1, x2, y2] = this.box ?? FIRST;
      if (!this.box) this.box = FIRST;
      else if (event.shiftKey) this.box = [x1, y1, clamp(Math.max(x1 + LEAST, x2 + by[0])), clamp(Math.max(y1 + LEAST, y2 + by[1]))];
      else { const dx = Math.min(Math.max(by[0], -x1), 1 - x2), dy = Math.min(Math.max(by[1], -y1), 1 - y2); this.box = [x1 + dx, y1 + dy, x2 + dx, y2 + dy]; }
    },
    send() { if (this.ready) this.$emit("done", { label: this.label, xyxy: this.box.map(clamp) }); },
  },
  template: `
<dialog ref="dialog" class="missing" :aria-label="t.missing_title" @close="$emit('done', null)" @cancel.prevent="$emit('done', null)">
  <form @submit.prevent="send"><h2>{{ t.missing_title }}</h2><p class="dim">{{ t.missing_hint }} {{ t.missing_keys }}</p>
    <div class="still" :style="{ '--ratio': size[0] / size[1] }"><img :src="picture" alt="" @load="loaded">
      <svg ref="svg" viewBox="0 0 1 1" preserveAspectRatio="none" tabindex="0" role="application" :aria-label="t.missing_box" @pointerdown.prevent="press" @pointermove="move" @pointerup="release" @pointercancel="release" @keydown="key">
        <template v-if="box"><rect class="under" :x="box[0]" :y="box[1]" :width="box[2] - box[0]" :height="box[3] - box[1]"/><rect class="box" :x="box[0]" :y="box[1]" :width="box[2] - box[0]" :height="box[3] - box[1]"/></template></svg></div>
    <div class="actions"><label class="field row">{{ t.missing_what }}<select v-model="label"><option v-for="one in labels" :key="one.value" :value="one.value">{{ one.label }}</option></select></label><span class="grow"></span>
      <span v-if="!ready" class="dim">{{ t.missing_needs }}</span><button type="button" class="button" @click="$emit('done', null)">{{ t.cancel }}</button><button class="button primary" :disabled="!ready">{{ t.missing_send }}</button></div></form>
</dialog>`,
};
