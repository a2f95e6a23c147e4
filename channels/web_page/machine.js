// Every Claude Code session of the machine: what each does, and a way to go on with it here.

import { get } from "./api.js";
import { make } from "./tree.js";

const PERIOD = 8000;
const SHOWN = 12;
const at = (id) => document.getElementById(id);

export class Machine {
  /** `resume` goes on with a session; `onStates` is told what the conversations' sessions do. */
  constructor(resume, onStates) {
    this.resume = resume;
    this.onStates = onStates;
    this.sessions = [];
    this.more = 0; // than those
    this.unfolded = null;
    this.most = SHOWN;
    this.next = Infinity; // the row that the keyboard goes on at, once it is there
    at("search").addEventListener("input", () => {
      this.next = Infinity;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.look(), 200);
    });
    document.addEventListener("visibilitychange", () => this.look());
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    this.isStale = this.isLooking;
    if (document.visibilityState !== "visible" || this.isLooking) return;
    this.isLooking = true;
    try {
      this.take(await get("sessions", { words: at("search").value.trim(), most: this.most }));
    } finally {
      this.isLooking = false;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), this.isStale ? 0 : PERIOD);
    }
  }

  take({ sessions, more, states }) {
    const text = JSON.stringify([sessions.map((one) => ({ ...one, seconds: ageOf(one.seconds) })), more, states]);
    if (text === this.text) return;
    this.text = text;
    this.sessions = sessions;
    this.more = more;
    this.onStates(new Map(states));
    this.draw();
  }

  /** Something happened that may have changed what a session does. */
  soon() {
    if (this.isSoon) return;
    this.isSoon = true;
    setTimeout(() => { this.isSoon = false; this.look(); }, 2000);
  }

  draw() {
    at("machine").hidden = !this.sessions.length;
    const focused = document.activeElement?.dataset?.session;
    const rows = this.sessions.map((one) => this.row(one));
    if (this.more) rows.push(make("li", {}, make("button", { type: "button", class: "more", onclick: () => this.showMore() }, `${this.more} more`)));
    at("machine-list").replaceChildren(...rows);
    if (focused) at("machine-list").querySelector(`[data-session="${focused}"]`)?.focus();
    if (this.sessions.length > this.next) {
      rows[this.next].firstElementChild.focus();
      this.next = Infinity;
    }
  }

  /** The rest follows, in ever larger steps. */
  showMore() {
    this.next = this.sessions.length;
    this.most = Math.max(50, this.most * 2);
    this.look();
  }

  row(one) {
    const isOpen = this.unfolded === one.id;
    const folder = one.directory.split("/").pop();
    const about = [folder + (one.branch ? ` (${one.branch})` : ""), ageOf(one.seconds), one.state].filter(Boolean).join(" · ");
    const button = make("button", { type: "button", "data-session": one.id, "aria-expanded": String(isOpen),
      onclick: () => { this.unfolded = isOpen ? null : one.id; this.draw(); } },
      make("span", { class: "name" }, one.title), dot(one.state), make("span", { class: "about" }, about));
    const item = make("li", {}, button);
    if (isOpen) {
      item.append(make("div", { class: "unfolded" }, make("p", {}, one.directory),
        make("button", { type: "button", class: "key", onclick: () => { this.unfolded = null; this.resume(one); } }, "Continue here")));
    }
    return item;
  }
}

/** What a session does, as the class of a dot and in words. */
export function markOf(state) {
  if (state.includes("asks something")) return ["asks", "asks something"];
  if (state.includes("working") || state.includes("command runs")) return ["at", "at work"];
  if (state.startsWith("awake") || state.startsWith("open")) return ["awake", "awake"];
  return ["asleep", state];
}

export function dot(state) {
  const [name, words] = markOf(state);
  return make("span", { class: `mark ${name}`, role: "img", "aria-label": words, title: words });
}

function ageOf(seconds) {
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}
