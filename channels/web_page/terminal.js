// The terminal beside the chat: the pane in its colours, live, and keys for it.

import { once, Refused } from "./api.js";
import { tastes } from "./kept.js";
import { make } from "./tree.js";

const PAD = [["1", "1"], ["2", "2"], ["3", "3"], ["↑", "Up"], ["↓", "Down"], ["←", "Left"], ["→", "Right"],
  ["Enter", "Enter"], ["Tab", "Tab"], ["⇧Tab", "BTab"], ["Esc", "Escape"], ["^C", "C-c"]];
const KEYS = { ArrowUp: "Up", ArrowDown: "Down", ArrowLeft: "Left", ArrowRight: "Right", Enter: "Enter",
  Escape: "Escape", Backspace: "BSpace", PageUp: "PageUp", PageDown: "PageDown", Home: "Home", End: "End", " ": "Space" };
const CONTROL = { c: "C-c", u: "C-u", s: "C-s", o: "C-o" };
const CLASSES = { b: "t-b", d: "t-d", i: "t-i", u: "t-u", c: "t-c", s: "t-s" };
const WIDTH = 0.602; // of a letter, in its height

export class Terminal {
  /** `watch` says which terminal is looked at, `toast` tells the person something. */
  constructor(watch, toast) {
    this.watch = watch;
    this.toast = toast;
    this.topic = null;
    this.queue = [];
    this.place = document.getElementById("terminal");
    this.button = document.getElementById("terminal-switch");
    this.button.addEventListener("click", () => this.toggle());
    this.screen = make("div", { class: "screen-rows", tabindex: 0, role: "application",
      "aria-label": "Terminal. What you type here goes to Claude Code; Shift and Escape leaves." });
    this.note = make("p", { class: "screen-note" }, "No terminal yet.");
    const pad = make("div", { class: "pad", role: "group", "aria-label": "Keys" },
      ...PAD.map(([label, key]) => make("button", { type: "button", onclick: () => this.press(key) }, label)));
    const close = make("button", { type: "button", class: "plain", "aria-label": "Close the terminal", onclick: () => this.toggle() }, "✕");
    this.place.append(make("header", {}, make("h2", {}, "Terminal"), close), this.screen, this.note, pad);
    this.screen.addEventListener("keydown", (event) => this.typed(event));
    new ResizeObserver(() => this.fit()).observe(this.screen);
    if (tastes.read("terminal") === "on" && innerWidth >= 1200) this.toggle();
  }

  get isOpen() {
    return !this.place.hidden;
  }

  toggle() {
    this.place.hidden = this.isOpen;
    document.body.classList.toggle("with-terminal", this.isOpen);
    this.button.setAttribute("aria-pressed", String(this.isOpen));
    tastes.write("terminal", this.isOpen ? "on" : "off");
    this.tell();
    if (!this.isOpen) this.button.focus();
  }

  open(topic) {
    this.topic = topic;
    this.show({});
    this.tell();
  }

  tell() {
    this.watch(this.isOpen ? this.topic : null);
  }

  show({ rows, columns, cursor, mark }) {
    this.mark = mark;
    this.columns = columns;
    this.note.hidden = Boolean(rows);
    this.note.textContent = this.topic === null ? "The conversation is not begun yet." : "Claude is asleep. The next message wakes it.";
    if (!rows) { this.screen.replaceChildren(); this.texts = []; return; }
    const texts = rows.map((row, number) => JSON.stringify([row, cursor && cursor[1] === number ? cursor[0] : null]));
    const before = this.texts || [];
    while (this.screen.children.length > rows.length) this.screen.lastElementChild.remove();
    rows.forEach((row, number) => {
      if (texts[number] === before[number] && this.screen.children[number]) return;
      const line = draw(row, cursor && cursor[1] === number ? cursor[0] : null);
      if (this.screen.children[number]) this.screen.children[number].replaceWith(line);
      else this.screen.append(line);
    });
    this.texts = texts;
    this.fit();
  }

  fit() {
    if (!this.columns) return;
    const size = Math.min(15, Math.max(7, (this.screen.clientWidth - 24) / this.columns / WIDTH));
    this.screen.style.fontSize = `${size.toFixed(2)}px`;
  }

  typed(event) {
    if (event.isComposing || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.shiftKey) { this.button.focus(); return; }
    let key = KEYS[event.key] || (event.key.length === 1 && /^[\x21-\x7e]$/.test(event.key) ? event.key : null);
    if (event.ctrlKey) key = CONTROL[event.key.toLowerCase()] || null;
    if (!key) return; // Tab goes on to the keys, as everywhere
    event.preventDefault();
    this.press(key);
  }

  /** Keys go one after the other, each into the screen that is there then. */
  async press(key) {
    this.queue.push(key);
    if (this.isPressing) return;
    this.isPressing = true;
    try {
      while (this.queue.length && this.mark) {
        const keys = this.queue.splice(0, 64);
        this.show(await once("keys", { topic: this.topic, keys, mark: this.mark }));
      }
    } catch (error) {
      this.toast(error instanceof Refused ? error.message : "The key did not arrive; look again.");
    } finally {
      this.queue = [];
      this.isPressing = false;
    }
  }
}

function draw(row, cursor) {
  const line = make("div");
  let column = 0;
  for (const [text, foreground, background, flags] of row) {
    const letters = [...text];
    const within = cursor !== null && cursor >= column && cursor < column + letters.length ? cursor - column : -1;
    const parts = within < 0 ? [[text, false]]
      : [[letters.slice(0, within).join(""), false], [letters[within], true], [letters.slice(within + 1).join(""), false]];
    for (const [part, isCursor] of parts) {
      if (part) line.append(run(part, foreground, background, flags, isCursor));
    }
    column += letters.length;
  }
  if (cursor !== null && cursor >= column) line.append(" ".repeat(cursor - column), run(" ", "", "", "", true));
  return line;
}

function run(text, foreground, background, flags, isCursor) {
  const isReversed = flags.includes("r") !== isCursor;
  const classes = [...flags].map((flag) => CLASSES[flag]).filter(Boolean);
  if (!foreground && !background && !isReversed && !classes.length) return document.createTextNode(text);
  const span = make("span", { class: classes.join(" ") || null }, text);
  const [front, back] = isReversed ? [background || "var(--pane)", foreground || "var(--pane-text)"] : [foreground, background];
  if (front) span.style.color = front;
  if (back) span.style.backgroundColor = back;
  return span;
}
