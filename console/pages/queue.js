// The alerts page: the live queue on the left, the open alert beside it, and the keys for both.
import { Icon, Panel, Ticks, Toasts, filled, typing } from "/assets/panel.js";
import { RANK, incidents } from "/assets/incidents.js";
import { Attention } from "/assets/attention.js";
import { Detail } from "/assets/detail.js";
import { Missing } from "/assets/missing.js";
import { Asking, KEYS } from "/assets/asking.js";
import { Row } from "/assets/row.js";

const KEPT = 600; // rows in the browser: four screens of scrolling at 3840 lines; what is beyond comes back by paging
const FLOOD = 10; // new rows within two seconds: where all is new, to light it up says nothing and costs most of the drawing
const SHOWN_UNDER = 2; // others of an incident that are shown before it is unfolded
const LISTS = ["cameras", "zones", "rules", "labels", "persons", "severities"];

export default {
  mixins: [Panel],
  components: { Asking, Detail, Icon, Missing, Row, Ticks, Toasts },
  data() {
    return {
      LISTED: ["severities", "cameras", "zones", "rules", "labels", "persons"],
      rows: new Map(this.start.rows.map((row) => [row.id, Object.freeze(row)])), more: this.start.more, filter: this.start.filter,
      chosen: "", detail: null, ticked: new Set(), unfolded: new Set(), seeing: this.start.seeing, pill: 0, asking: null,
      missing: "", lit: true, sound: true, notify: false, announced: "", loading: false, stale: false,
    };
  },
  computed: {
    groups() { return incidents([...this.rows.values()]); },
    /** The ids in the order of the screen. */
    order() { return this.groups.flatMap((group) => [group.lead, ...this.shownUnder(group)]).map((row) => row.id); },
    open() { return [...this.rows.values()].filter((row) => row.status === "open").length; },
    /** The time in steps of ten seconds: what shows how old an alert is needs no more. */
    minute() { return Math.floor(this.clock / 10_000) * 10_000; },
    timeLabel() { return this.filter.last ? this.t["last_" + this.filter.last] : this.filter.since_ms || this.filter.until_ms ? `${this.at(this.filter.since_ms, "short")} – ${this.at(this.filter.until_ms, "short")}` : ""; },
    filtered() { return LISTS.some((name) => this.filter[name].length) || this.filter.text || this.timeLabel; },
    targets() { return this.ticked.size ? [...this.ticked] : this.chosen ? [this.chosen] : []; },
  },
  watch: { open: { immediate: true, handler(value) { this.attention?.count(value); } } },
  created() {
    this.arrived = new Map();
    this.attention = new Attention(document.title);
    this.sound = this.attention.sound;
    this.notify = this.attention.notify;
    this.attention.count(this.open);
  },
  mounted() {
    this.onKey = (event) => this.key(event);
    addEventListener("keydown", this.onKey);
    if (this.start.chosen) this.choose(this.start.chosen);
  },
  unmounted() { removeEventListener("keydown", this.onKey); },
  methods: {
    shownUnder(group) { return this.unfolded.has(group.id) ? group.under : group.under.slice(0, SHOWN_UNDER); },
    closed(row) { return row.status === "answered" || row.status === "snoozed"; },
    isFresh(row) { return Date.now() - (this.arrived.get(row.id) ?? 0) < 1600; },

    /** From the server, at most every 50 ms: rows that are new or changed, and ids that the filter no longer takes. */
    batch(rows, gone) {
      const brandNew = rows.filter((row) => !this.rows.has(row.id) && row.status === "open" && row.state !== "end");
      for (const row of rows) {
        const known = this.rows.get(row.id);
        if (known && known.revision > row.revision) continue;
        this.rows.set(row.id, Object.freeze(row)); // frozen, so that Vue makes no proxy of each
      }
      for (const id of gone) if (this.rows.delete(id)) this.ticked.delete(id);
      for (const row of brandNew) this.arrived.set(row.id, Date.now());
      this.lit = [...this.arrived.values()].filter((at) => at > Date.now() - 2000).length <= FLOOD;
      if (this.arrived.size > 500) this.arrived = new Map([...this.arrived].slice(-100));
      this.trim();
      if (!brandNew.length) return;
      if (this.$refs.list?.scrollTop > 40) this.pill += brandNew.length;
      this.attention.call(brandNew, { title: (row) => this.title(row), open: (id) => this.choose(id) });
      const worst = brandNew.reduce((a, b) => (RANK[b.severity] > RANK[a.severity] ? b : a));
      if (Date.now() - (this.announcedAt ?? 0) > 3000) {
        this.announcedAt = Date.now();
        this.announced = filled(this.t.announce, { count: brandNew.length, severity: this.t["severity_" + worst.severity], camera: worst.camera_name, why: worst.why });
      }
    },
    trim() {
      if (this.rows.size <= KEPT * 1.2) return;
      const order = this.groups.flatMap((group) => [group.lead, ...group.under]);
      for (const row of order.slice(KEPT)) if (row.id !== this.chosen) { this.rows.delete(row.id); this.ticked.delete(row.id); }
      this.more = true;
    },
    /** From the server: it had more to say than this page could take. */
    reload() { this.search(); },
    presence(seeing) { this.seeing = seeing; },
    /** From the server: the open alert has changed. */
    refresh(detail) { if (this.detail && this.detail.id === detail.id) this.show(detail); },

    async search() {
      this.loading = true;
      try {
        const { rows, more } = await this.call("page", { filter: this.filter, after: null });
        this.rows = new Map(rows.map((row) => [row.id, Object.freeze(row)]));
        this.more = more;
        this.ticked = new Set();
      } finally { this.loading = false; }
    },
    async loadMore() {
      if (this.loading || !this.more) return;
      this.loading = true;
      const last = [...this.rows.values()].sort((a, b) => RANK[b.severity] - RANK[a.severity] || b.started_at_ms - a.started_at_ms || b.number - a.number).at(-1);
      try {
        const { rows, more } = await this.call("page", { filter: this.filter, after: { severity: last.severity, started_at_ms: last.started_at_ms, number: last.number } });
        for (const row of rows) this.rows.set(row.id, Object.freeze(row));
        this.more = more;
      } finally { this.loading = false; }
    },
    narrow(change) {
      this.filter = { ...this.filter, ...change };
      this.address();
      this.search();
    },
    clearFilter() { this.narrow({ ...Object.fromEntries(LISTS.map((name) => [name, []])), text: "", last: "", since_ms: null, until_ms: null }); },
    typed(text) {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.narrow({ text }), 250);
    },
    period(name, value) {
      this.call("instant", { local: value }).then((ms) => this.narrow({ last: "", [name]: ms }));
    },
    /** What is looked at stands in the address: it can be sent to a colleague. */
    address() {
      const query = new URLSearchParams();
      for (const name of LISTS) for (const value of this.filter[name]) query.append(name, value);
      if (this.filter.status !== "todo") query.set("status", this.filter.status);
      for (const name of ["text", "last", "since_ms", "until_ms"]) if (this.filter[name]) query.set(name, this.filter[name]);
      if (this.chosen) query.set("alert", this.chosen);
      const text = query.toString();
      history.replaceState(history.state, "", location.pathname + (text ? "?" + text : ""));
    },

    choose(id, { focus = false } = {}) {
      this.chosen = id;
      this.address();
      if (focus) this.$nextTick(() => { const button = this.$refs.list.querySelector(`[data-id="${CSS.escape(id)}"] .open`); button?.focus({ preventScroll: true }); button?.closest("li, .alert")?.scrollIntoView({ block: "nearest" }); });
      clearTimeout(this.opening);
      this.opening = setTimeout(async () => {
        const detail = await this.call("open", { id });
        if (this.chosen === id) this.show(detail);
      }, this.detail ? 90 : 0); // holding j passes many alerts: only the one that is stayed on is fetched (and audited)
    },
    /** Draw an alert; its picture may come a moment later than itself. */
    show(detail, tries = 12) {
      this.detail = detail;
      clearTimeout(this.looking);
      if (detail.evidence && !detail.frame && !detail.missed && tries)
        this.looking = setTimeout(async () => {
          const later = await this.call("open", { id: detail.id });
          if (this.detail?.id === detail.id) this.show(later, tries - 1);
        }, 800);
    },
    close() {
      const id = this.chosen;
      this.chosen = ""; this.detail = null;
      this.address();
      this.call("close");
      this.$nextTick(() => this.$refs.list.querySelector(`[data-id="${CSS.escape(id)}"] .open`)?.focus());
    },
    step(by) {
      const place = this.order.indexOf(this.chosen);
      const id = this.order[place < 0 ? (by > 0 ? 0 : this.order.length - 1) : Math.min(Math.max(place + by, 0), this.order.length - 1)];
      if (id) this.choose(id, { focus: true });
      if (this.order.length - place < 8) this.loadMore();
    },
    /** The id that comes after those that are answered now. */
    following(ids) {
      const gone = new Set(ids), place = this.order.findIndex((id) => gone.has(id));
      const rest = this.order.slice(place).filter((id) => !gone.has(id) && !this.closed(this.rows.get(id)));
      return rest[0] ?? this.order.find((id) => !gone.has(id) && !this.closed(this.rows.get(id))) ?? "";
    },
    incidentOf(id) {
      const group = this.groups.find((one) => one.lead.id === id || one.under.some((row) => row.id === id));
      return group ? [group.lead, ...group.under].filter((row) => !this.closed(row)).map((row) => row.id) : [id];
    },
    tick(group, row) {
      const ids = row === group?.lead ? [row, ...group.under].map((one) => one.id) : [row.id];
      const on = !this.ticked.has(row.id);
      for (const id of ids) on ? this.ticked.add(id) : this.ticked.delete(id);
    },
    tickAll() { this.ticked = new Set(this.order.filter((id) => !this.closed(this.rows.get(id)))); },

    /** Answer to what is ticked, else to what is open; `ids` says otherwise. */
    async answer(action, ids = this.targets) {
      if (!ids.length) return;
      if (!this.me.may_answer) return this.say(this.t.may_not, "bad");
      const next = ["true", "false", "nuisance"].includes(action.verdict) || action.action === "snooze" ? this.following(ids) : "";
      const { rows } = await this.call("answer", { ids, action });
      for (const row of rows) if (this.rows.has(row.id)) this.rows.set(row.id, Object.freeze(row));
      this.ticked = new Set();
      this.say(filled(this.t["done_" + (action.verdict || action.action)], { count: rows.length, to: action.to ?? "", minutes: action.minutes ?? "" }), "", action.action === "snooze" ? { label: this.t.undo, run: () => this.endSnoozes(rows) } : null);
      if (next && ids.includes(this.chosen)) this.choose(next, { focus: true });
      else if (ids.includes(this.chosen)) this.detail = await this.call("open", { id: this.chosen });
    },
    /** What was just snoozed alerts again. */
    async endSnoozes(rows) {
      const pairs = new Map(rows.map(({ rule, camera }) => [`${rule}/${camera}`, { rule, camera }]));
      for (const pair of pairs.values()) await this.call("end_snooze", pair);
      this.say(this.t.snooze_undone);
    },
    /** What needs words or a choice first. */
    ask(kind, ids = this.targets) {
      if (!this.me.may_answer) return this.say(this.t.may_not, "bad");
      if (ids.length) this.asking = { kind, ids };
    },
    asked(action) { const { ids } = this.asking; this.asking = null; if (action?.action === "is_person") this.thisIs(action.person); else if (action) this.answer(action, ids); },
    /** "Not this person": what was seen matches them no more, from now on; it can be taken back. */
    async deny() {
      const one = this.detail?.identity;
      if (!one?.may_deny) return;
      const { id, person_id } = await this.call("deny", { id: this.detail.id });
      this.say(filled(this.t.done_not_person, { name: one.name }), "", { label: this.t.undo, run: () => this.undoDenial(person_id, id) });
      this.reopen();
    },
    async undoDenial(person_id, denial_id) { await this.call("undo_denial", { person_id, denial_id }); this.say(this.t.undone); this.reopen(); },
    askPerson() { if (this.detail?.identity?.may_say) this.asking = { kind: "person", ids: [this.detail.id] }; },
    async thisIs(person) { await this.call("this_is", { id: this.detail.id, person_id: person.id }); this.say(filled(this.t.done_is_person, { name: person.name })); this.reopen(); },
    async lift(suppression) { this.detail = await this.call("lift", { suppression }); this.say(this.t.silence_lifted); },
    /** Something else is in the picture: it is shown as it was kept. */
    askMissed() { if (this.detail?.frame && this.me.may_answer) this.missing = this.detail.id; },
    async missed(box) {
      const id = this.missing;
      this.missing = "";
      if (!box) return;
      const detail = await this.call("missed", { id, box });
      if (this.detail?.id === id) this.detail = detail;
      this.say(filled(this.t.missing_done, { label: box.label }));
    },
    async reopen() { if (this.chosen) this.detail = await this.call("open", { id: this.chosen }); },
    act(name, whole = false) {
      const chosen = whole && this.chosen ? this.incidentOf(this.chosen) : this.targets;
      const ids = name === "n" ? chosen.filter((id) => !this.isQuestion(id)) : chosen; // there is no such answer to one
      const act = KEYS[name];
      if (name === "?") this.asking = { kind: "help", ids: [] };
      else if (!ids.length) this.say(chosen.length ? this.t.question_yes_or_no : this.t.choose_first);
      else if (act.own) this[act.own]();
      else if (act.asks) this.ask(act.asks, ids);
      else this.answer(act.action, ids);
    },
    isQuestion(id) { return (this.rows.get(id) ?? (this.detail?.id === id ? this.detail : null))?.kind === "question"; },
    key(event) {
      if (typing(event)) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const moves = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
      if (key in moves) this.step(moves[key]);
      else if (key in KEYS && !event.repeat) this.act(key, event.shiftKey && key !== "?");
      else if (key === "x" && this.chosen) this.tick(null, this.rows.get(this.chosen));
      else if (key === "/") this.$refs.search.focus();
      else if (key === "w" && this.detail?.heat) this.$refs.detail?.explain();
      else if (key === "o" || key === "z") this.$refs.detail?.[key === "o" ? "toggleOverlay" : "toggleZoom"]();
      else if (event.key === "Escape") this.ticked.size ? (this.ticked = new Set()) : this.chosen && this.close();
      else return;
      event.preventDefault();
    },

    title(row) { return `${this.t["severity_" + row.severity]} · ${row.camera_name}${row.zone ? " · " + row.zone : ""}`; },
    scrolled(event) {
      const list = event.target;
      if (list.scrollTop < 40) this.pill = 0;
      if (list.scrollHeight - list.scrollTop - list.clientHeight < 600) this.loadMore();
    },
    top() { this.$refs.list.scrollTop = 0; this.pill = 0; },
    setSound() { this.sound = !this.sound; this.attention.setSound(this.sound); },
    async setNotify() {
      this.notify = await this.attention.setNotify(!this.notify);
      if (!this.notify && globalThis.Notification?.permission === "denied") this.say(this.t.notify_denied, "bad");
    },
    local(ms) { return ms ? new Date(ms).toLocaleString("sv-SE", { timeZone: this.zone }).slice(0, 16).replace(" ", "T") : ""; },
  },
  template: `
<div :class="['alerts', detail ? 'opened' : '']">
  <section class="queue" :aria-label="t.queue">
    <div class="filters" role="search" :aria-label="t.filters">
      <div class="segments" role="group" :aria-label="t.state">
        <button v-for="name in start.states" :key="name" :aria-pressed="filter.status === name" @click="narrow({ status: name })">{{ t['state_' + name] }}</button>
      </div>
      <Ticks v-for="name in LISTED.filter((one) => one !== 'persons' || start.options.persons.length)" :key="name" :label="t['filter_' + name]" :any="t.any" :options="start.options[name]" :chosen="filter[name]" @change="(value) => narrow({ [name]: value })" />
      <details class="menu right"><summary :class="['button', 'small', timeLabel ? 'on' : '']">{{ t.filter_time }}<b v-if="timeLabel">{{ timeLabel }}</b><Icon name="down" style="width:14px;height:14px"/></summary>
        <div class="drop stack" role="group" :aria-label="t.filter_time">
          <button v-for="name in ['', '1h', '8h', '24h', '7d']" :key="name" class="item" :aria-pressed="filter.last === name && !filter.since_ms" @click="narrow({ last: name, since_ms: null, until_ms: null })">{{ name ? t['last_' + name] : t.any_time }}</button>
          <label class="field">{{ t.from }}<input type="datetime-local" :value="local(filter.since_ms)" @change="period('since_ms', $event.target.value)"></label>
          <label class="field">{{ t.until }}<input type="datetime-local" :value="local(filter.until_ms)" @change="period('until_ms', $event.target.value)"></label>
        </div></details>
      <input ref="search" type="search" :placeholder="t.search" :aria-label="t.search" :value="filter.text" @input="typed($event.target.value)" @keydown.escape="$event.target.blur()">
    </div>
    <div v-if="ticked.size" class="bulk"><b>{{ filled(t.ticked, { count: ticked.size }) }}</b>
      <button v-for="key in ['a', 't', 'f', 'n', 'm', 'e']" :key="key" class="button small" @click="act(key)">{{ t['key_' + key] }} <kbd>{{ key }}</kbd></button>
      <button class="button small quiet" @click="tickAll">{{ t.tick_all }}</button><button class="button small quiet" @click="ticked = new Set()">{{ t.untick }}</button></div>
    <div v-else class="queuebar"><span><b>{{ open }}</b> {{ t.unacknowledged }} · <b>{{ rows.size }}{{ more ? '+' : '' }}</b> {{ t.shown }}</span>
      <button v-if="filtered" class="button small quiet" @click="clearFilter">{{ t.clear }}</button><span class="grow"></span>
      <button class="iconbutton" :aria-pressed="sound" :aria-label="t.sound" :title="t.sound" @click="setSound"><Icon :name="sound ? 'sound' : 'sound_off'"/></button>
      <button class="iconbutton" :aria-pressed="notify" :aria-label="t.notify" :title="t.notify" @click="setNotify"><Icon :name="notify ? 'bell' : 'bell_off'"/></button>
      <button class="iconbutton" :aria-label="t.help" :title="t.help + ' (?)'" @click="act('?')"><Icon name="help"/></button></div>
    <ul class="list" ref="list" tabindex="-1" :aria-label="t.queue" :aria-busy="loading" @scroll.passive="scrolled">
      <li v-if="pill" style="border:0;content-visibility:visible"><button class="pill" @click="top">{{ filled(t.new_above, { count: pill }) }}</button></li>
      <li v-for="group in groups" :key="group.id" class="group">
        <Row v-for="(row, place) in [group.lead, ...shownUnder(group)]" :key="row.id" :row="row" :under="place > 0" :chosen="row.id === chosen" :ticked="ticked.has(row.id)" :minute="closed(row) ? 0 : minute" :seeing="seeing[row.id]" :fresh="isFresh(row)" :lit="lit" :t="t" :zone="zone" @choose="choose(row.id)" @tick="tick(group, row)" />
        <button v-if="group.under.length > 2" class="unfold" :aria-expanded="unfolded.has(group.id)" @click="unfolded.has(group.id) ? unfolded.delete(group.id) : unfolded.add(group.id)">{{ unfolded.has(group.id) ? t.fold : filled(t.unfold, { count: group.under.length - 2 }) }}</button>
      </li>
      <li v-if="!rows.size && !loading" class="empty"><h2>{{ filtered ? t.none_filtered : t['none_' + filter.status] }}</h2><p>{{ filtered ? t.none_filtered_hint : t['none_hint_' + filter.status] ?? t.none_hint }}</p></li>
    </ul>
  </section>
  <section class="detail" :aria-label="t.detail" tabindex="-1">
    <Detail v-if="detail" ref="detail" :d="detail" :row="rows.get(detail.id)" :t="t" :zone="zone" :me="me" :clock="clock" :seeing="(seeing[detail.id] || [])" @act="act" @do="(action) => answer(action, [detail.id])" @close="close" @lift="lift" @told="(text) => say(text, 'bad')" />
    <div v-else class="empty" style="height:100%"><Icon name="shield" style="width:44px;height:44px;stroke-width:1.200"/><h2>{{ t.nothing_open }}</h2><p><kbd>j</kbd> <kbd>k</kbd> {{ t.nothing_open_hint }} · <kbd>?</kbd> {{ t.help }}</p></div>
  </section>
  <Asking v-if="asking" :kind="asking.kind" :count="asking.ids.length" :t="t" :operators="start.operators" :find="(text) => call('people', { text })" @done="asked" />
  <Missing v-if="missing && detail" :picture="detail.frame" :labels="start.options.labels" :t="t" @done="missed" />
  <Toasts :toasts="toasts" />
  <div class="sr" role="log" aria-live="polite">{{ announced }}</div>
</div>`,
};
