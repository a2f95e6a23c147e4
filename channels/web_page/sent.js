// What the person sends, kept in the browser until the bridge has it: a reload loses nothing.

import { newKey, post, Refused } from "./api.js";

const NAME = `waiting ${location.pathname}`;

export class Sent {
  /** `onChange` is told of each that waits, `onTaken` what became of it. */
  constructor(onChange, onTaken) {
    this.onChange = onChange;
    this.onTaken = onTaken;
    this.entries = JSON.parse(localStorage.getItem(NAME) || "[]");
    this.last = Promise.resolve();
    for (const entry of this.entries) if (!entry.refused) this.deliver(entry);
  }

  add(topic, text, files, replyTo) {
    const entry = { key: newKey(), topic, text, files, reply_to: replyTo };
    this.entries.push(entry);
    this.keep();
    this.onChange(entry);
    this.deliver(entry);
    return entry;
  }

  of(topic) {
    return this.entries.filter((entry) => entry.topic === topic);
  }

  takeBack(entry) {
    this.entries = this.entries.filter((other) => other.key !== entry.key);
    this.keep();
  }

  /** One after the other, so that they arrive in order. */
  deliver(entry) {
    this.last = this.last.then(async () => {
      try {
        const { key, topic, text, files, reply_to } = entry;
        const taken = await post("send", { key, topic, text, files, reply_to });
        this.takeBack(entry);
        this.onTaken(entry, taken);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        entry.refused = error.message || "This was refused.";
        this.keep();
        this.onChange(entry);
      }
    });
  }

  keep() {
    localStorage.setItem(NAME, JSON.stringify(this.entries));
  }
}
