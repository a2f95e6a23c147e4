// What the person sends, kept in the browser until the bridge has it: a reload loses nothing.

import { newKey, post, Refused } from "./api.js";
import { unsent } from "./kept.js";

const NAME = `waiting ${location.pathname} `;

export class Sent {
  /** `onChange` is told of each that waits, `onTaken` what became of it. */
  constructor(onChange, onTaken) {
    this.onChange = onChange;
    this.onTaken = onTaken;
    this.topics = new Map(); // of conversations that have begun meanwhile
    this.last = Promise.resolve();
    this.entries = unsent.names().filter((name) => name.startsWith(NAME)).map(read).filter(Boolean)
      .sort((one, other) => one.at - other.at);
    for (const entry of this.entries) if (!entry.refused) this.deliver(entry);
  }

  /** `conversation` is what those have in common that begin one together. */
  add(topic, text, files, replyTo, conversation) {
    const entry = { key: newKey(), topic, text, files, reply_to: replyTo, conversation, at: Date.now() };
    this.entries.push(entry);
    this.keep(entry);
    this.onChange(entry);
    this.deliver(entry);
    return entry;
  }

  takeBack(entry) {
    this.entries = this.entries.filter((other) => other.key !== entry.key);
    unsent.remove(NAME + entry.key);
  }

  /** One after the other, so that they arrive in order. */
  deliver(entry) {
    this.last = this.last.then(async () => {
      try {
        if (entry.topic === null) entry.topic = this.topics.get(entry.conversation) ?? null;
        const { key, topic, text, files, reply_to } = entry;
        const taken = await post("send", { key, topic, text, files, reply_to });
        this.takeBack(entry);
        if (topic === null) this.begun(entry.conversation, taken.topic);
        this.onTaken(entry, taken);
      } catch (error) {
        if (!(error instanceof Refused)) { reportError(error); return; }
        entry.refused = error.message || "This was refused.";
        this.keep(entry);
        this.onChange(entry);
      }
    });
  }

  /** What was to begin a conversation together with another one goes there, after a reload too. */
  begun(conversation, topic) {
    this.topics.set(conversation, topic);
    for (const entry of this.entries) {
      if (entry.topic !== null || entry.conversation !== conversation) continue;
      entry.topic = topic;
      this.keep(entry);
    }
  }

  keep(entry) {
    unsent.write(NAME + entry.key, JSON.stringify(entry));
  }
}

function read(name) {
  try {
    return JSON.parse(unsent.read(name));
  } catch {
    return null; // not ours
  }
}
