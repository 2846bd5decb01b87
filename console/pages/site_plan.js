// Puts another plan picture there, or takes it away, through the API.
import { Panel, Toasts } from "/assets/panel.js";

const MOST_BYTES = 1_000_000;

export default {
  mixins: [Panel],
  components: { Toasts },
  methods: {
    async send(method, body) {
      const session = await (await fetch("/api/session")).json();
      const answer = await fetch("/api/plan", { method, body, headers: { "X-CSRF-Token": session.csrf } });
      this.say(answer.ok ? this.t.plan_done : this.filled(this.t.failed, { reason: (await answer.json()).error }), answer.ok ? "" : "bad");
    },
    async chosen(event) {
      const file = event.target.files[0];
      if (!file) return;
      if (file.size > MOST_BYTES) this.say(this.t.plan_large, "bad");
      else await this.send("PUT", file);
      event.target.value = "";
    },
  },
  template: `
<div class="row planchange">
  <label class="button small file">{{ t.plan_choose }}<input type="file" accept="image/png, image/jpeg, image/webp" @change="chosen" /></label>
  <button class="button small" @click="send('DELETE')">{{ t.plan_remove }}</button>
  <Toasts :toasts="toasts" />
</div>`,
};
