// Calls to the API from a page, with the session's token against forged requests. What is refused is said, and rejects.
export const Api = {
  props: { csrf: String },
  methods: {
    async api(method, path, body = null) {
      const headers = { "X-CSRF-Token": this.csrf ?? this.start.csrf, ...(body ? { "Content-Type": "application/json" } : {}) };
      let answer;
      try { answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }); } catch { return this.refused(this.t.no_answer); }
      if (answer.status === 204) return null;
      const value = await answer.json().catch(() => ({ error: `${answer.status}` }));
      return answer.ok ? value : this.refused(value.error);
    },
    refused(text) { this.say(text, "bad"); return new Promise(() => {}); }, // what follows is not to be done
  },
};
