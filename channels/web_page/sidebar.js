// The list of conversations, what is searched for, and the drawer that they are in on a phone.

import { get } from "./api.js";
import { dot } from "./machine.js";
import { make, textOf } from "./tree.js";

const at = (id) => document.getElementById(id);
const MARKS = { "⏳": "at work", "❓": "asks something", "💤": "asleep" };

export class Sidebar {
  /** `open` opens a conversation, `show` a message. */
  constructor(open, show) {
    this.open = open;
    this.show = show;
    this.topics = new Map();
    this.unread = new Map();
    this.states = new Map();
    this.current = null;
    at("new").addEventListener("click", () => this.choose(null));
    at("menu").addEventListener("click", () => this.slide(!document.body.classList.contains("drawn")));
    at("shade").addEventListener("click", () => this.slide(false));
    at("search").addEventListener("input", () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.search(), 200); });
    addEventListener("keydown", (event) => {
      if (event.key === "k" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.slide(true); at("search").focus(); }
      if (event.key === "Escape") this.slide(false);
    });
  }

  begin(topics, hasRoot) {
    this.topics = new Map(topics.map((topic) => [topic.id, topic]));
    this.order = topics.map((topic) => topic.id);
    this.hasRoot = hasRoot;
    this.draw();
  }

  put(topic) {
    if (topic.is_gone) {
      this.topics.delete(topic.id);
      this.order = this.order.filter((id) => id !== topic.id);
      this.unread.delete(topic.id);
      this.draw();
      return;
    }
    if (!this.topics.has(topic.id)) this.order.unshift(topic.id);
    this.topics.set(topic.id, topic);
    this.draw();
  }

  /** What the sessions of the conversations do, newer than the signs in their names. */
  setStates(states) {
    this.states = states;
    this.draw();
  }

  /** Something was said there. */
  note(message, isSeen) {
    if (message.topic === 0) this.hasRoot = true;
    const place = this.order.indexOf(message.topic);
    if (place > 0) { this.order.splice(place, 1); this.order.unshift(message.topic); }
    if (!isSeen && !message.is_mine && !message.body.silent) this.unread.set(message.topic, (this.unread.get(message.topic) || 0) + 1);
    this.draw();
  }

  select(topic) {
    this.current = topic;
    this.unread.delete(topic);
    this.draw();
  }

  nameOf(topic) {
    if (topic === null) return "New conversation";
    if (topic === 0) return "The bridge";
    return split(this.topics.get(topic)?.name || "Conversation")[1];
  }

  markOf(topic) {
    return split(this.topics.get(topic)?.name || "")[0];
  }

  choose(topic) {
    this.slide(false);
    this.open(topic);
  }

  draw() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    requestAnimationFrame(() => { this.isPlanned = false; this.drawNow(); });
  }

  drawNow() {
    const focused = document.activeElement?.dataset?.topic;
    const ids = [...this.order, ...(this.hasRoot ? [0] : [])];
    at("topics").replaceChildren(...ids.map((id) => this.row(id)));
    if (focused !== undefined) at("topics").querySelector(`[data-topic="${focused}"]`)?.focus();
    const total = [...this.unread.values()].reduce((sum, number) => sum + number, 0);
    document.title = `${total ? `(${total}) ` : ""}${this.nameOf(this.current)} · Claude`;
  }

  row(id) {
    const topic = this.topics.get(id);
    const mark = this.markOf(id);
    const unread = this.unread.get(id);
    const button = make("button", { type: "button", "data-topic": id, "aria-current": id === this.current ? "true" : null,
      class: topic?.is_closed ? "closed" : null, onclick: () => this.choose(id) }, make("span", { class: "name" }, this.nameOf(id)));
    const state = this.states.get(id) || MARKS[mark] || "";
    if (state) button.append(dot(state === "at work" ? "working" : state));
    if (unread) button.append(make("span", { class: "badge", "aria-label": `${unread} new` }, String(unread)));
    return make("li", {}, button);
  }

  async search() {
    const words = at("search").value.trim();
    const list = at("found");
    list.hidden = !words;
    at("topics").hidden = Boolean(words);
    if (!words) return;
    const token = this.searching = Symbol("search");
    const { messages } = await get("search", { words });
    if (token !== this.searching) return;
    const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
    list.replaceChildren(...messages.map((message) => this.foundRow(message, words)));
    if (!messages.length) list.replaceChildren(make("li", { class: "none" }, "Nothing found."));
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
  }

  foundRow(message, words) {
    const text = textOf(message);
    const place = Math.max(0, text.toLowerCase().indexOf(words.toLowerCase()));
    const start = Math.max(0, place - 30);
    const line = make("span", { class: "excerpt" }, start ? "…" : "", text.slice(start, place),
      make("mark", {}, text.slice(place, place + words.length)), text.slice(place + words.length, place + 90));
    const button = make("button", { type: "button", onclick: () => { this.slide(false); this.show(message); } },
      make("span", { class: "name" }, this.nameOf(message.topic)), line);
    return make("li", {}, button);
  }

  slide(isOpen) {
    document.body.classList.toggle("drawn", isOpen);
    at("shade").hidden = !isOpen;
    at("menu").setAttribute("aria-expanded", String(isOpen));
  }
}

function split(name) {
  const mark = Object.keys(MARKS).find((sign) => name.startsWith(sign));
  return mark ? [mark, name.slice(mark.length).trim()] : ["", name];
}
