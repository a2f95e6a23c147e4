// The messages of the open conversation: a part of them, changed in place, scrolled calmly.
//
// * However long the conversation is, the document holds a few hundred messages of it: what is
//   scrolled away from goes at one end while more comes at the other.
// * What is said meanwhile counts: a page of history never undoes a change that came before it.

import { get } from "./api.js";
import { dayOf, render, renderWaiting } from "./message.js";
import { make } from "./tree.js";

const PAGE = 40;
const MOST = 240; // messages in the document
const NEAR = 120; // of the end: there the newest stays in sight
const EDGE = 600; // of what is there: then more is loaded
const QUIET_MILLISECONDS = 300;

const at = (id) => document.getElementById(id);

export class Chat {
  constructor(act) {
    this.act = act;
    this.topic = undefined;
    this.messages = new Map();
    this.elements = new Map();
    this.waiting = new Map();
    this.early = null; // what is said while a page of history is on its way
    this.hasOlder = this.hasNewer = false;
    this.newest = 0;
    this.scroll = at("scroll");
    this.log = at("log");
    this.unseen = 0;
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.scroll.addEventListener("keydown", (event) => this.pressed(event));
    at("down").addEventListener("click", () => { this.toEnd(true); this.scroll.focus({ preventScroll: true }); });
    new ResizeObserver(() => { if (this.sticks) this.toEnd(); }).observe(this.log);
    new ResizeObserver(() => { if (this.sticks) this.toEnd(); }).observe(this.scroll);
    this.sticks = true;
    this.top = 0; // where it was scrolled to
  }

  // --- which part is there --------------------------------------------------------------------

  /** Show another conversation; null is one that is not begun. */
  async open(topic) {
    this.topic = topic;
    this.waiting.clear();
    this.newest = 0;
    this.setUnseen(0);
    at("welcome").hidden = topic !== null;
    await this.load();
  }

  /** Show the newest, or those `after` a message, or those `around` one. */
  async load({ after, around } = {}) {
    const token = this.token = Symbol("load");
    this.early = new Map();
    this.isExtending = false;
    this.empty();
    this.hasOlder = this.hasNewer = false;
    this.sticks = after === undefined && around === undefined;
    this.log.setAttribute("aria-busy", "true");
    this.drawWaiting();
    if (this.topic !== null) {
      const pages = await Promise.all(around === undefined ? [this.ask({ after })]
        : [this.ask({ before: around + 1 }), this.ask({ after: around })]);
      if (token !== this.token) return;
      const early = this.early;
      this.empty();
      this.hasOlder = after === undefined && pages[0].has_more;
      for (const page of pages) this.add(page.messages, false);
      this.hasNewer = (after !== undefined || around !== undefined) && pages.at(-1).has_more;
      for (const message of early.values()) this.put(message);
    }
    this.early = null;
    this.log.removeAttribute("aria-busy");
    this.drawWaiting();
    this.edges();
    if (this.sticks) this.toEnd();
    else if (after !== undefined) this.scroll.scrollTop = 0;
  }

  ask(query) {
    return get("history", { topic: this.topic, most: PAGE, ...query });
  }

  empty() {
    this.messages.clear();
    this.elements.clear();
    this.quietly(() => this.log.replaceChildren());
  }

  /** Load more at one end, and let go of as much at the other. */
  async extend(isOlder) {
    if (this.isExtending || this.early || !(isOlder ? this.hasOlder : this.hasNewer)) return;
    if (!this.messages.size) { await this.load(); return; }
    const token = this.token;
    this.isExtending = true;
    this.early = new Map();
    const page = await this.ask(isOlder ? { before: this.first } : { after: this.latest });
    if (token !== this.token) return;
    const early = this.early;
    this.early = null;
    this.keepPlace(() => {
      this.add(page.messages, isOlder);
      if (isOlder) this.hasOlder = page.has_more;
      else this.hasNewer = page.has_more || (page.messages.length > 0 && this.latest < this.newest);
      this.trim(!isOlder);
      for (const message of early.values()) this.put(message);
      this.drawWaiting();
      this.edges();
    });
    this.isExtending = false;
    this.scrolled();
  }

  get first() {
    return Math.min(...this.messages.keys());
  }

  get latest() {
    return Math.max(...this.messages.keys());
  }

  /** Add a page of history at one end. */
  add(messages, isOlder) {
    const next = isOlder ? this.log.firstElementChild : this.log.querySelector(".waiting");
    this.quietly(() => {
      for (const message of messages) {
        if (this.messages.has(message.id)) continue;
        const element = render(message, this.act);
        this.messages.set(message.id, message);
        this.elements.set(message.id, element);
        this.log.insertBefore(element, next);
        this.nameDay(element);
        this.settle(message);
      }
      this.nameDay(this.log.querySelector(`article[data-id="${this.first}"]`));
      if (isOlder && next) this.nameDay(next.dataset.id ? next : next.nextElementSibling);
    });
    this.newest = Math.max(this.newest, ...messages.map((message) => message.id));
  }

  /** Let go of what is too much, at the older end or at the newer one. */
  trim(isOlder) {
    const tooMany = this.messages.size - MOST;
    if (tooMany <= 0) return;
    const ids = [...this.messages.keys()].sort((one, other) => one - other);
    for (const id of isOlder ? ids.slice(0, tooMany) : ids.slice(-tooMany)) this.remove(id);
    if (isOlder) this.hasOlder = true;
    else this.hasNewer = true;
    this.drawWaiting();
    this.edges();
  }

  remove(id) {
    const element = this.elements.get(id);
    if (!element) return;
    if (element.contains(document.activeElement)) this.scroll.focus({ preventScroll: true });
    let next = element.nextElementSibling;
    element.remove();
    this.messages.delete(id);
    this.elements.delete(id);
    if (next?.classList.contains("day")) next = next.nextElementSibling;
    if (next?.dataset.id) this.nameDay(next);
    const last = this.log.lastElementChild;
    if (last?.classList.contains("day")) last.remove();
  }

  /** A day's name stands before its first message. */
  nameDay(element) {
    const message = this.messages.get(Number(element?.dataset.id));
    if (!message) return;
    const headings = [];
    let previous = element.previousElementSibling;
    for (; previous?.classList.contains("day"); previous = previous.previousElementSibling) headings.push(previous);
    for (const heading of headings) heading.remove();
    const before = this.messages.get(Number(previous?.dataset.id));
    if (!before || dayOf(before.at) !== dayOf(message.at)) element.before(make("h2", { class: "day" }, dayOf(message.at)));
  }

  // --- what is said ---------------------------------------------------------------------------

  /** Take a message as it is now. */
  put(message) {
    if (message.topic !== this.topic) return;
    this.early?.set(message.id, message);
    if (message.is_deleted) { this.remove(message.id); return; }
    this.newest = Math.max(this.newest, message.id);
    this.settle(message);
    const known = this.messages.get(message.id);
    if (known ? known.change >= message.change : !this.isWithin(message.id)) return;
    this.messages.set(message.id, message);
    const element = render(message, this.act);
    const before = this.elements.get(message.id);
    this.elements.set(message.id, element);
    if (before) {
      keepOpen(before, element);
      this.replace(before, element);
    } else {
      this.insert(message, element);
      this.trim(this.sticks);
    }
  }

  /** The element that takes another's place has the focus if that had it; what was said aloud is not said again. */
  replace(before, element) {
    const wasSaid = !before.matches(".card, .screen") && wordsOf(before) === wordsOf(element);
    if (wasSaid) element.setAttribute("aria-live", "off");
    const focused = before.contains(document.activeElement) ? document.activeElement : null;
    before.replaceWith(element);
    if (!focused) return;
    const same = [...element.querySelectorAll(focused.tagName)].find((one) => one.textContent === focused.textContent);
    (same || this.scroll).focus({ preventScroll: true });
  }

  isWithin(id) {
    return (!this.hasOlder || id > this.first) && (!this.hasNewer || id < this.latest);
  }

  insert(message, element) {
    let next = null;
    for (let one = this.log.lastElementChild; one; one = one.previousElementSibling) {
      if (one.dataset.id && Number(one.dataset.id) < message.id) break;
      if (!one.classList.contains("day")) next = one;
    }
    this.log.insertBefore(element, next);
    this.nameDay(element);
    this.nameDay(next);
  }

  /** The real message takes the place of the one that waited. */
  settle(message) {
    if (message.body.key) this.dropWaiting(message.body.key);
  }

  putWaiting(waiting) {
    if ([...this.messages.values()].some((message) => message.body.key === waiting.key)) return;
    this.waiting.get(waiting.key)?.remove();
    this.waiting.set(waiting.key, renderWaiting(waiting, this.act));
    at("welcome").hidden = true;
    this.drawWaiting();
    this.toEnd();
  }

  dropWaiting(key) {
    this.waiting.get(key)?.remove();
    this.waiting.delete(key);
  }

  /** What was not sent yet stands at the end of all. */
  drawWaiting() {
    for (const element of this.waiting.values()) {
      if (this.hasNewer) element.remove();
      else if (!element.isConnected) this.log.append(element);
    }
  }

  // --- what is seen ---------------------------------------------------------------------------

  /** Go to a message, loading it and what is around it. */
  async show(id) {
    if (!this.elements.has(id)) await this.load({ around: id });
    const element = this.elements.get(id);
    if (!element) return;
    this.sticks = false;
    element.scrollIntoView({ block: "center" });
    this.log.querySelector(".shown")?.classList.remove("shown");
    element.classList.add("shown");
  }

  textOf(id) {
    return wordsOf(this.elements.get(id)).slice(0, 120);
  }

  /** What the person looks at stays where it is. */
  keepPlace(change) {
    const top = this.scroll.getBoundingClientRect().top;
    const seen = [...this.elements.values()].filter((one) => one.getBoundingClientRect().bottom > top)
      .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)[0];
    const before = seen?.getBoundingClientRect().top;
    change();
    if (seen?.isConnected) this.scroll.scrollTop += seen.getBoundingClientRect().top - before;
  }

  /** A screen reader says what is new, not what was looked up. */
  quietly(change) {
    this.log.setAttribute("aria-live", "off");
    change();
    clearTimeout(this.quietTimer);
    this.quietTimer = setTimeout(() => this.log.setAttribute("aria-live", "polite"), QUIET_MILLISECONDS);
  }

  edges() {
    at("older").hidden = !this.hasOlder;
    at("newer").hidden = !this.hasNewer;
    at("down").hidden = this.sticks && !this.hasNewer;
  }

  scrolled() {
    if (this.log.hasAttribute("aria-busy")) return; // nothing is there to be looked at
    const left = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight;
    const isUp = this.scroll.scrollTop < this.top;
    this.top = this.scroll.scrollTop;
    // Whoever is at the end leaves it by going up: what grew since the last look is no reason.
    this.sticks = !this.hasNewer && (left < NEAR || (this.sticks && !isUp));
    if (this.sticks) this.setUnseen(0);
    this.edges();
    if (this.scroll.scrollTop < EDGE) this.extend(true);
    if (left < EDGE) this.extend(false);
  }

  /** Home and End are those of the conversation. */
  pressed(event) {
    if (event.target !== this.scroll || !["Home", "End"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "End") this.toEnd(true);
    else if (this.hasOlder) this.load({ after: 0 });
    else this.scroll.scrollTop = 0;
  }

  toEnd(isAsked = false) {
    if (isAsked && this.hasNewer) { this.load(); return; }
    if (isAsked) { this.sticks = true; this.setUnseen(0); }
    if (!this.sticks) return;
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.top = this.scroll.scrollTop;
  }

  noteNew() {
    if (!this.sticks) this.setUnseen(this.unseen + 1);
  }

  setUnseen(number) {
    this.unseen = number;
    at("down-text").textContent = number ? `${number} new` : "Newest";
  }
}

function wordsOf(element) {
  return element?.querySelector(".text")?.textContent || "";
}

/** What a person had unfolded stays so. */
function keepOpen(before, after) {
  if (before.querySelector("details[open]")) after.querySelector("details")?.setAttribute("open", "");
}
