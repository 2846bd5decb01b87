// What an alert means, drawn over its picture: the zone or line, the way it came, the box and what it is.
import { percent } from "/assets/panel.js";

export const Overlay = {
  props: { d: Object, width: Number, height: Number },
  computed: {
    area() { return this.d.area.map(([x, y]) => [x * this.width, y * this.height]); },
    /** Half an arrow from the middle of a line to its `in` side: with y down, the right of (dx, dy) is (-dy, dx). */
    arrow() {
      if (this.area.length !== 2 || this.d.kind !== "line_crossing") return null;
      const [[x1, y1], [x2, y2]] = this.area, length = Math.hypot(x2 - x1, y2 - y1) || 1, reach = this.height / 16 / length;
      const x = (x1 + x2) / 2, y = (y1 + y2) / 2;
      return { x1: x, y1: y, x2: x - (y2 - y1) * reach, y2: y + (x2 - x1) * reach };
    },
    boxes() {
      const { xyxy, boxes } = this.d.evidence;
      return [...boxes.map((box) => ({ box, text: "" })), ...(xyxy ? [{ box: xyxy, text: `${this.d.label || ""} ${percent(this.d.evidence.confidence)}` }] : [])];
    },
    size() { return this.width / 62; },
  },
  methods: { points(list) { return list.map((point) => point.join(",")).join(" "); } },
  template: `
<svg :class="['overlay', d.severity]" :viewBox="'0 0 ' + width + ' ' + height" preserveAspectRatio="xMidYMid meet" role="img" :aria-label="d.spoken">
  <polygon v-if="area.length > 2" class="area" :points="points(area)"/>
  <polyline v-if="area.length === 2" class="area line" :points="points(area)"/>
  <line v-if="arrow" class="area" v-bind="arrow" marker-end="url(#in)"/>
  <defs><marker id="in" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 10 5 0 10z" fill="#54ceeb"/></marker></defs>
  <polyline v-if="d.trail.length > 1" class="under" :points="points(d.trail)"/><polyline v-if="d.trail.length > 1" class="trail" :points="points(d.trail)"/>
  <g v-for="(one, i) in boxes" :key="i"><rect class="under" :x="one.box[0]" :y="one.box[1]" :width="one.box[2] - one.box[0]" :height="one.box[3] - one.box[1]"/><rect class="box" :x="one.box[0]" :y="one.box[1]" :width="one.box[2] - one.box[0]" :height="one.box[3] - one.box[1]"/>
    <text v-if="one.text" :x="Math.max(2, Math.min(one.box[0], width - 8 * size))" :y="one.box[1] > 1.6 * size ? one.box[1] - size * .45 : one.box[3] + size * 1.1" :style="{ fontSize: size + 'px', strokeWidth: size / 4.5 + 'px' }">{{ one.text }}</text></g>
</svg>`,
};
