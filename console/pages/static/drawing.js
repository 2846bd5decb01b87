// Draws and changes polygons and lines on a camera's picture: with the mouse, a finger, or the keyboard alone.

const clamp = (value) => Math.min(1, Math.max(0, Math.round(value * 10_000) / 10_000));
const STEP = 0.01, FINE = 0.002;

export const Drawing = {
  // shapes: [{key, kind: zone|line|mask, name, points}] in 0-1 of the picture; `chosen` is the key of the one that can be changed.
  props: { picture: String, shapes: Array, chosen: String, editable: Boolean, drawing: String, t: Object },
  emits: ["choose", "change", "drawn", "cancel"],
  data: () => ({ size: [1600, 1000], points: [], dragged: -1, pointer: null, failed: false }),
  watch: {
    drawing() { this.points = []; this.pointer = null; if (this.drawing) this.$nextTick(() => this.$refs.svg.focus()); },
    picture() { this.failed = false; },
  },
  computed: {
    active() { return this.shapes.find((one) => one.key === this.chosen); },
    unit() { return Math.max(this.size[0], this.size[1]) / 100; },
    handles() { return this.active && this.editable && !this.drawing ? this.active.points : []; },
    /** Points in the middle of the edges: taken, they become corners. */
    middles() {
      const points = this.handles;
      return this.active?.kind === "line" || points.length < 2 ? [] : points.map(([x, y], i) => { const [a, b] = points[(i + 1) % points.length]; return [(x + a) / 2, (y + b) / 2]; });
    },
  },
  methods: {
    loaded(event) { this.size = [event.target.naturalWidth, event.target.naturalHeight]; },
    px(points) { return points.map(([x, y]) => `${x * this.size[0]},${y * this.size[1]}`).join(" "); },
    place(event) {
      const area = this.$refs.svg.getBoundingClientRect();
      return [clamp((event.clientX - area.left) / area.width), clamp((event.clientY - area.top) / area.height)];
    },
    near([x, y], [a, b]) { return Math.hypot((x - a) * this.size[0], (y - b) * this.size[1]) < this.unit * 1.6; },
    press(event) {
      if (!this.drawing) return;
      this.put(this.place(event));
    },
    put(point) {
      if (this.points.length > 2 && this.near(point, this.points[0])) return this.finish();
      this.points = [...this.points, point];
      if (this.drawing === "line" && this.points.length === 2) this.finish();
    },
    finish() {
      if (this.points.length < (this.drawing === "line" ? 2 : 3)) return;
      this.$emit("drawn", this.points);
      this.points = [];
    },
    move(event) {
      if (this.drawing) { this.pointer = this.place(event); return; }
      if (this.dragged >= 0) this.set(this.dragged, this.place(event));
    },
    take(i, event) { this.dragged = i; this.$refs.svg.setPointerCapture(event.pointerId); },
    release() { this.dragged = -1; },
    set(i, point) { this.$emit("change", this.active.points.map((old, n) => (n === i ? point : old))); },
    split(i, event) {
      const points = [...this.active.points];
      points.splice(i + 1, 0, this.middles[i].map(clamp));
      this.$emit("change", points);
      if (event.pointerId !== undefined) this.take(i + 1, event);
    },
    /** A corner: arrows move it (Shift: finer), Delete takes it away, Insert adds one behind it. */
    cornerKey(i, event) {
      const step = event.shiftKey ? FINE : STEP, [x, y] = this.active.points[i];
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (moves[event.key]) this.set(i, [clamp(x + moves[event.key][0]), clamp(y + moves[event.key][1])]);
      else if (event.key === "Delete" && this.active.kind !== "line" && this.active.points.length > 3) this.$emit("change", this.active.points.filter((_, n) => n !== i));
      else if (event.key === "Insert" && this.active.kind !== "line") this.split(i, event);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    /** Drawing with the keyboard: arrows move the cross, Space or Enter puts a corner, Enter on the first closes. */
    drawKey(event) {
      if (!this.drawing) return;
      const step = event.shiftKey ? FINE : STEP, [x, y] = this.pointer ?? [0.5, 0.5];
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (moves[event.key]) this.pointer = [clamp(x + moves[event.key][0]), clamp(y + moves[event.key][1])];
      else if (event.key === " ") this.put([x, y]);
      else if (event.key === "Enter") this.points.length >= (this.drawing === "line" ? 2 : 3) ? this.finish() : this.put([x, y]);
      else if (event.key === "Backspace") this.points = this.points.slice(0, -1);
      else if (event.key === "Escape") { this.points = []; this.$emit("cancel"); }
      else return;
      event.preventDefault();
    },
    arrow(points) {
      const [[a, b], [c, d]] = points.map(([x, y]) => [x * this.size[0], y * this.size[1]]), length = Math.hypot(c - a, d - b) || 1, reach = (this.unit * 5) / length;
      const x = (a + c) / 2, y = (b + d) / 2;
      return { x1: x, y1: y, x2: x - (d - b) * reach, y2: y + (c - a) * reach };
    },
    label(points) { const top = points.reduce((best, one) => (one[1] < best[1] ? one : best)); return { x: top[0] * this.size[0], y: Math.max(this.unit * 2.4, top[1] * this.size[1] - this.unit) }; },
  },
  template: `
<div class="drawing" :style="{ '--ratio': size[0] / size[1] }">
  <img v-if="picture && !failed" :src="picture" :alt="t.picture" @load="loaded" @error="failed = true"><p v-else class="nopicture">{{ t.no_camera_picture }}</p>
  <svg ref="svg" :viewBox="'0 0 ' + size[0] + ' ' + size[1]" :class="{ drawing }" preserveAspectRatio="none" role="application" :aria-label="drawing ? t['draw_hint_' + drawing] : t.shapes" tabindex="0" @pointerdown="press" @pointermove="move" @pointerup="release" @pointercancel="release" @keydown="drawKey">
    <defs><marker id="side" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0 10 5 0 10z" fill="#54ceeb"/></marker></defs>
    <g v-for="shape in shapes" :key="shape.key" :class="['shape', shape.kind, { chosen: shape.key === chosen, off: shape.off }]" @click="!drawing && $emit('choose', shape.key)">
      <polyline v-if="shape.kind === 'line'" class="wide" :points="px(shape.points)"/><polyline v-if="shape.kind === 'line'" :points="px(shape.points)"/><line v-if="shape.kind === 'line'" v-bind="arrow(shape.points)" marker-end="url(#side)"/>
      <polygon v-else :points="px(shape.points)"/>
      <text v-bind="label(shape.points)" :font-size="unit * 1.7">{{ shape.name }}</text></g>
    <circle v-for="(point, i) in middles" :key="'m' + i" class="middle" :cx="point[0] * size[0]" :cy="point[1] * size[1]" :r="unit * .6" @pointerdown.stop="split(i, $event)"/>
    <circle v-for="(point, i) in handles" :key="i" class="handle" :cx="point[0] * size[0]" :cy="point[1] * size[1]" :r="unit" tabindex="0" role="button" :aria-label="t.corner + ' ' + (i + 1) + ': ' + Math.round(point[0] * 100) + ' %, ' + Math.round(point[1] * 100) + ' %'" @pointerdown.stop="take(i, $event)" @keydown="cornerKey(i, $event)"/>
    <template v-if="drawing"><polyline v-if="points.length" class="growing" :points="px(pointer ? [...points, pointer] : points)"/><circle v-for="(point, i) in points" :key="'p' + i" :class="['handle', { first: !i }]" :cx="point[0] * size[0]" :cy="point[1] * size[1]" :r="unit * .8"/>
      <path v-if="pointer" class="cross" :d="'M' + (pointer[0] * size[0] - unit * 2) + ' ' + pointer[1] * size[1] + 'h' + unit * 4 + 'M' + pointer[0] * size[0] + ' ' + (pointer[1] * size[1] - unit * 2) + 'v' + unit * 4"/></template>
  </svg>
</div>`,
};
