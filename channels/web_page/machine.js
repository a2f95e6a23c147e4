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
    this.unfolded = null;
    this.most = SHOWN;
    at("search").addEventListener("input", () => this.draw());
    document.addEventListener("visibilitychange", () => this.look());
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    if (document.visibilityState !== "visible" || this.isLooking) return;
    this.isLooking = true;
    try {
      const { sessions } = await get("sessions");
      const text = JSON.stringify(sessions.map((session) => ({ ...session, seconds: ageOf(session.seconds) })));
      this.sessions = sessions;
      if (text !== this.text) {
        this.text = text;
        this.onStates(new Map(sessions.filter((one) => one.topic).map((one) => [one.topic, one])));
        this.draw();
      }
    } finally {
      this.isLooking = false;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), PERIOD);
    }
  }

  /** Something happened that may have changed what a session does. */
  soon() {
    if (this.isSoon) return;
    this.isSoon = true;
    setTimeout(() => { this.isSoon = false; this.look(); }, 2000);
  }

  draw() {
    const words = at("search").value.trim().toLowerCase();
    const others = this.sessions.filter((one) => one.topic === null
      && (!words || `${one.title} ${one.directory} ${one.branch}`.toLowerCase().includes(words)));
    at("machine").hidden = !others.length;
    const focused = document.activeElement?.dataset?.session;
    const rows = others.slice(0, this.most).map((one) => this.row(one));
    if (others.length > this.most) {
      rows.push(make("li", {}, make("button", { type: "button", class: "more", onclick: () => { this.most += 50; this.draw(); } },
        `${others.length - this.most} more`)));
    }
    at("machine-list").replaceChildren(...rows);
    if (focused) at("machine-list").querySelector(`[data-session="${focused}"]`)?.focus();
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
