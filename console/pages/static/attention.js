// How a new alert calls for attention: a sound, a browser notification, the number in the title.
import { RANK } from "./incidents.js";

const stored = (name, otherwise) => { try { return localStorage.getItem("vedette." + name) ?? otherwise; } catch { return otherwise; } };
const store = (name, value) => { try { localStorage.setItem("vedette." + name, value); } catch { /* private mode: the choice lasts for this page */ } };

export class Attention {
  constructor(title) {
    this.title = title;
    this.sound = stored("sound", "on") === "on";
    this.notify = stored("notify", "off") === "on" && globalThis.Notification?.permission === "granted";
    this.last = 0;
    this.played = 0;
    this.shown = 0;
    const wake = () => { this.audio ??= globalThis.AudioContext ? new AudioContext() : null; this.audio?.resume(); };
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, wake, { once: true });
  }
  setSound(on) { this.sound = on; store("sound", on ? "on" : "off"); if (on) this.tone("medium"); }
  /** Asks the browser; returns whether it may. */
  async setNotify(on) {
    const may = on && globalThis.Notification && (await Notification.requestPermission()) === "granted";
    this.notify = Boolean(may);
    store("notify", may ? "on" : "off");
    return this.notify;
  }
  count(open) { document.title = (open ? `(${open > 99 ? "99+" : open}) ` : "") + this.title; }
  /** For rows that are new; at most one sound and one notification in two seconds, that of the worst. */
  call(rows, words) {
    if (!rows.length || Date.now() - this.last < 2000) return;
    this.last = Date.now();
    const worst = rows.reduce((a, b) => (RANK[b.severity] > RANK[a.severity] ? b : a));
    if (this.sound) this.tone(worst.severity);
    if (this.notify && document.hidden) {
      const note = new Notification(words.title(worst), { body: worst.why, tag: worst.id, requireInteraction: RANK[worst.severity] >= 4 });
      note.onclick = () => { focus(); words.open(worst.id); note.close(); };
      this.shown++;
    }
  }
  /** Two notes for high and critical, one for the rest; quiet enough for eight hours. */
  tone(severity) {
    this.played++;
    if (!this.audio || this.audio.state !== "running") return;
    const notes = { critical: [880, 660, 880], high: [784, 587], medium: [587], low: [494], info: [440] }[severity];
    notes.forEach((frequency, i) => {
      const start = this.audio.currentTime + i * 0.16, gain = this.audio.createGain(), oscillator = this.audio.createOscillator();
      oscillator.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.16, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, start + 0.28);
      oscillator.connect(gain).connect(this.audio.destination);
      oscillator.start(start);
      oscillator.stop(start + 0.3);
    });
  }
}
