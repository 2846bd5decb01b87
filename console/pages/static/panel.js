// What the components of all pages share: calls to the server, times in the site's zone, toasts, short keys.

const formats = new Map();

/** A time in the site's zone: "time" 12:31:04, "short" 12:31, "day" Mon 5 Jan, "full" both with the zone's name. */
export function at(ms, zone, style = "time") {
  if (!ms) return "–";
  const key = style + zone;
  if (!formats.has(key)) {
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const options = {
      time: { ...clock, second: "2-digit" },
      short: clock,
      day: { weekday: "short", day: "numeric", month: "short" },
      stamp: { day: "numeric", month: "short", ...clock, second: "2-digit" },
      full: { weekday: "short", day: "numeric", month: "short", year: "numeric", ...clock, second: "2-digit", timeZoneName: "short" },
    }[style];
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }));
  }
  return formats.get(key).format(ms);
}

/** A duration as an operator says it: 8 s, 3:05, 2 h 10 min, 3 d. */
export function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A delay: 420 ms, from two seconds on as `lasting` says it; – where there is none. */
export const delayed = (ms) => (ms == null ? "–" : ms < 2000 ? `${ms} ms` : lasting(ms));

export const percent = (share) => `${Math.round(share * 100)} %`;

/** Text with {names} filled in. */
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** True while keys belong to a field or an open dialog and are no short keys. */
export function typing(event) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector("dialog[open]")) return true;
  return ["TEXTAREA", "SELECT"].includes(target.tagName) || (target.tagName === "INPUT" && !["checkbox", "radio", "button"].includes(target.type));
}

/** Menus close when something else is pressed, and with Escape. */
export function closingMenus() {
  const close = (except) => document.querySelectorAll("details.menu[open]").forEach((menu) => menu !== except && menu.removeAttribute("open"));
  document.addEventListener("pointerdown", (event) => close(event.target.closest?.("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    if (open) { close(null); open.querySelector("summary").focus(); event.stopPropagation(); }
  }, true);
}
if (!globalThis.vedetteMenus) { globalThis.vedetteMenus = true; closingMenus(); }

/** What the server says no to: it has been shown, nothing else is wrong. */
class Refusal extends Error {}
addEventListener("unhandledrejection", (event) => event.reason instanceof Refusal && event.preventDefault());
/** The same where Vue waits for a handler: it would write each refusal to the browser's log as a fault. */
const unlessRefused = (error) => { if (!(error instanceof Refusal)) console.error(error); };

/** The base of each page's component. `t` holds the page's texts, `zone` the site's time zone. */
export const Panel = {
  props: { t: Object, zone: String, now_ms: Number, me: Object, start: Object },
  emits: ["call"],
  data: () => ({ toasts: [], clock: 0 }),
  created() {
    this.$.appContext.config.errorHandler = unlessRefused;
    this.offset = this.now_ms - Date.now();
    this.clock = this.now_ms;
    this.waiting = new Map();
    this.number = 0;
  },
  mounted() {
    this.ticking = setInterval(() => (this.clock = this.now()), 1000);
  },
  unmounted() {
    clearInterval(this.ticking);
  },
  methods: {
    at(ms, style) { return at(ms, this.zone, style); },
    lasting, delayed, percent, filled,
    now() { return Date.now() + this.offset; },
    /** Ask the server; resolves with its answer. A refusal is shown (but where whoever asks shows it) and rejects. */
    call(name, args = {}, { patience = 15000, shows = true } = {}) {
      const n = ++this.number;
      return new Promise((resolve, reject) => {
        const refuse = (text) => { if (shows) this.say(text, "bad"); reject(new Refusal(text)); };
        this.waiting.set(n, { resolve, refuse });
        this.$emit("call", { n, name, args });
        setTimeout(() => this.waiting.delete(n) && refuse(this.t.no_answer), patience);
      });
    },
    /** Called by the server. */
    reply(n, value, error) {
      const asked = this.waiting.get(n);
      if (!asked) return;
      this.waiting.delete(n);
      if (error) asked.refuse(error); else asked.resolve(value);
    },
    /** Copy what a field holds. Over plain HTTP browsers have no clipboard for pages: there the old way works. */
    async copy(field) {
      try { await navigator.clipboard.writeText(field.value); }
      catch { field.select(); if (!document.execCommand("copy")) return this.say(this.t.not_copied, "bad"); }
      this.say(this.t.copied);
    },
    say(text, kind = "", action = null) {
      const toast = { id: ++this.number, text, kind, action };
      this.toasts = [...this.toasts.slice(-2), toast];
      setTimeout(() => (this.toasts = this.toasts.filter((other) => other.id !== toast.id)), kind === "bad" ? 8000 : 4500);
    },
  },
};

export const Toasts = {
  props: { toasts: Array },
  template: `<div class="toasts" role="status" aria-live="polite"><div v-for="toast in toasts" :key="toast.id" :class="['toast', toast.kind]">
    <span>{{ toast.text }}</span><button v-if="toast.action" class="button small" @click="toast.action.run()">{{ toast.action.label }}</button></div></div>`,
};

const PATHS = {
  camera: "M3 7h11v10H3zM14 10l6-3v10l-6-3", bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 20h4", bell_off: "M4 4l16 16M6 16v-5c0-1 .2-2 .7-2.800M9 5.800A6 6 0 0 1 18 11v4M18 18H4l2-2M10 20h4",
  sound: "M4 9v6h4l5 4V5L8 9zM16 9a4 4 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11", sound_off: "M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6", help: "M9 9a3 3 0 1 1 4 2.800c-.8.4-1 .9-1 1.700M12 17h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600 7 7M17 17l1.400 1.400M5.600 18.400 7 17M17 7l1.400-1.400", moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z", menu: "M4 7h16M4 12h16M4 17h16", user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4-5 8-5s7 1 8 5",
  shield: "M12 3l8 3v6c0 5-3.500 7.500-8 9-4.500-1.500-8-4-8-9V6z", horse: "M5 20h12M7 20c0-5 1-7 4-9L7 12l-2-2 5-5 1-2 2 2c4 1 6 5 5 9-.5 2-1.500 3.500-1.500 6", down: "M6 9l6 6 6-6", close: "M6 6l12 12M18 6L6 18", zoom: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5M11 8v6M8 11h6", plus: "M12 5v14M5 12h14", undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6",
};
export const Icon = { props: { name: String }, data: () => ({ PATHS }), template: `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path :d="PATHS[name]"/></svg>` };

/** A menu with boxes to tick: `options` are {value, label}, `chosen` the values. */
export const Ticks = {
  props: { label: String, options: Array, chosen: Array, any: String },
  emits: ["change"],
  components: { Icon },
  computed: {
    shown() {
      const names = this.options.filter((o) => this.chosen.includes(o.value)).map((o) => o.label);
      return names.length === 0 ? "" : names.length === 1 ? names[0] : `${names.length}`;
    },
  },
  methods: {
    toggle(value) {
      this.$emit("change", this.chosen.includes(value) ? this.chosen.filter((other) => other !== value) : [...this.chosen, value]);
    },
  },
  template: `<details class="menu"><summary :class="['button', 'small', chosen.length ? 'on' : '']">{{ label }}<b v-if="shown">{{ shown }}</b><Icon name="down" style="width:14px;height:14px"/></summary>
    <div class="drop" role="group" :aria-label="label"><p v-if="!options.length" class="dim">–</p>
    <label v-for="o in options" :key="o.value" class="check"><input type="checkbox" :checked="chosen.includes(o.value)" @change="toggle(o.value)"><span :class="o.tone ? 'sev ' + o.tone : ''">{{ o.label }}</span></label>
    <button v-if="chosen.length" class="button small" @click="$emit('change', [])">{{ any }}</button></div></details>`,
};
