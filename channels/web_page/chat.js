// The messages of the open conversation: loaded page by page, changed in place, scrolled calmly.

import { get } from "./api.js";
import { dayOf, render, renderWaiting } from "./message.js";
import { make } from "./tree.js";

const PAGE = 40;
const NEAR = 120;

const at = (id) => document.getElementById(id);

export class Chat {
  constructor(act) {
    this.act = act;
    this.topic = undefined;
    this.messages = new Map();
    this.elements = new Map();
    this.waiting = new Map();
    this.hasMore = false;
    this.scroll = at("scroll");
    this.log = at("log");
    this.unseen = 0;
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    at("down").addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => { if (this.sticks) this.toEnd(); }).observe(this.log);
    new ResizeObserver(() => { if (this.sticks) this.toEnd(); }).observe(this.scroll);
    this.sticks = true;
  }

  /** Show another conversation; null is one that is not begun. */
  async open(topic) {
    const token = this.token = Symbol("load");
    this.topic = topic;
    this.messages.clear();
    this.elements.clear();
    this.waiting.clear();
    this.log.replaceChildren();
    this.log.setAttribute("aria-busy", "true");
    this.hasMore = false;
    this.sticks = true;
    this.setUnseen(0);
    at("welcome").hidden = topic !== null;
    if (topic !== null) {
      const page = await get("history", { topic, most: PAGE });
      if (token !== this.token) return;
      const early = [...this.messages.values()];
      this.messages.clear();
      this.elements.clear();
      this.log.replaceChildren();
      this.hasMore = page.has_more;
      for (const message of page.messages) this.put(message);
      for (const message of early) this.put(message);
      for (const waiting of this.waiting.values()) this.log.append(waiting.element);
    }
    this.log.removeAttribute("aria-busy");
    at("older").hidden = !this.hasMore;
    this.toEnd();
  }

  /** Take a message as it is now; true when it is new here. */
  put(message) {
    if (message.topic !== this.topic) return false;
    const known = this.messages.get(message.id);
    if (known && known.change >= message.change) return false;
    if (!known && (this.hasMore && message.id < this.oldest())) return false;
    if (message.is_deleted) {
      this.elements.get(message.id)?.remove();
      this.messages.delete(message.id);
      this.elements.delete(message.id);
      return false;
    }
    this.messages.set(message.id, message);
    const element = render(message, this.act);
    const before = this.elements.get(message.id);
    if (before) {
      keepOpen(before, element);
      before.replaceWith(element);
    } else {
      this.insert(message, element);
    }
    this.elements.set(message.id, element);
    this.settle(message);
    return !known;
  }

  oldest() {
    return this.messages.size ? Math.min(...this.messages.keys()) : 0;
  }

  insert(message, element) {
    let next = this.log.lastElementChild;
    let after = null;
    while (next && (!next.dataset.id || Number(next.dataset.id) > message.id)) {
      if (next.dataset.id || next.classList.contains("waiting")) after = next;
      next = next.previousElementSibling;
    }
    const previous = next ? this.messages.get(Number(next.dataset.id)) : null;
    if (after) this.log.insertBefore(element, after);
    else this.log.append(element);
    if (!previous || dayOf(previous.at) !== dayOf(message.at)) element.before(make("h2", { class: "day" }, dayOf(message.at)));
  }

  /** The real message takes the place of the one that waited. */
  settle(message) {
    const waiting = message.body.key && this.waiting.get(message.body.key);
    if (waiting) {
      waiting.element.remove();
      this.waiting.delete(message.body.key);
    }
  }

  putWaiting(waiting) {
    if ([...this.messages.values()].some((message) => message.body.key === waiting.key)) return;
    const element = renderWaiting(waiting, this.act);
    const before = this.waiting.get(waiting.key);
    if (before) before.element.replaceWith(element);
    else this.log.append(element);
    this.waiting.set(waiting.key, { element });
    at("welcome").hidden = true;
    this.toEnd();
  }

  dropWaiting(key) {
    this.waiting.get(key)?.element.remove();
    this.waiting.delete(key);
  }

  async loadOlder() {
    if (!this.hasMore || this.isLoading) return;
    this.isLoading = true;
    const token = this.token;
    try {
      const page = await get("history", { topic: this.topic, before: this.oldest(), most: PAGE });
      if (token !== this.token) return;
      const height = this.scroll.scrollHeight;
      const first = this.log.firstElementChild;
      const part = document.createDocumentFragment();
      let last = null;
      for (const message of page.messages) {
        if (!last || dayOf(last.at) !== dayOf(message.at)) part.append(make("h2", { class: "day" }, dayOf(message.at)));
        const element = render(message, this.act);
        this.messages.set(message.id, message);
        this.elements.set(message.id, element);
        part.append(element);
        last = message;
      }
      if (last && first?.classList.contains("day") && first.textContent === dayOf(last.at)) first.remove();
      this.log.prepend(part);
      this.hasMore = page.has_more;
      at("older").hidden = !this.hasMore;
      this.scroll.scrollTop += this.scroll.scrollHeight - height;
    } finally {
      this.isLoading = false;
    }
  }

  /** Go to a message, loading what is in between. */
  async show(id) {
    while (!this.elements.has(id) && this.hasMore) await this.loadOlder();
    const element = this.elements.get(id);
    if (!element) return;
    this.sticks = false;
    element.scrollIntoView({ block: "center" });
    this.log.querySelector(".shown")?.classList.remove("shown");
    element.classList.add("shown");
  }

  textOf(id) {
    return (this.elements.get(id)?.querySelector(".text")?.textContent || "").slice(0, 120);
  }

  scrolled() {
    const left = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight;
    this.sticks = left < NEAR;
    if (this.sticks) this.setUnseen(0);
    at("down").hidden = this.sticks;
    if (this.scroll.scrollTop < 400) this.loadOlder();
  }

  toEnd(isAsked = false) {
    if (isAsked) this.sticks = true;
    if (this.sticks) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  noteNew() {
    if (!this.sticks) this.setUnseen(this.unseen + 1);
  }

  setUnseen(number) {
    this.unseen = number;
    at("down-text").textContent = number ? `${number} new` : "Newest";
    if (!number && this.sticks) at("down").hidden = true;
  }
}

/** What a person had unfolded stays so. */
function keepOpen(before, after) {
  if (before.querySelector("details[open]")) after.querySelector("details")?.setAttribute("open", "");
}
