// The box for a message: grows with its text, keeps a draft, takes files, offers commands.

import { upload } from "./api.js";
import { drafts } from "./kept.js";
import { sizeOf } from "./message.js";
import { make } from "./tree.js";

const at = (id) => document.getElementById(id);
const hasKeyboard = matchMedia("(hover: hover) and (pointer: fine)");

export class Composer {
  /** `send` is given { text, files, replyTo, editing }. */
  constructor(send, limits) {
    this.sendNow = send;
    this.limits = limits;
    this.box = at("composer-text");
    this.files = [];
    this.others = new Map(); // the files of the other conversations' drafts
    this.replyTo = null;
    this.editing = null;
    this.topic = undefined;
    this.menu = [];
    this.chosen = -1;
    this.listen();
  }

  listen() {
    this.box.addEventListener("input", () => { this.changed(); this.keepDraft(); });
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files || [])];
      if (files.length) { event.preventDefault(); this.add(files); }
    });
    this.box.addEventListener("blur", () => setTimeout(() => this.offer([]), 150));
    at("composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    at("attach").addEventListener("click", () => at("file").click());
    at("file").addEventListener("change", () => { this.add([...at("file").files]); at("file").value = ""; });
    at("reply-off").addEventListener("click", () => this.drop());
    const drop = at("drop");
    let depth = 0;
    addEventListener("dragenter", (event) => { if (event.dataTransfer?.types.includes("Files")) { depth += 1; drop.hidden = false; } });
    addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) drop.hidden = true; });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      drop.hidden = true;
      this.add([...(event.dataTransfer?.files || [])]);
    });
  }

  /** `isSame`: what is being typed goes on; so does what was typed before the page was ready. */
  open(topic, isSame) {
    const typed = isSame || this.topic === undefined ? this.box.value : "";
    if (isSame) drafts.remove(this.draftName());
    else this.changeFiles(topic);
    this.topic = topic;
    this.box.value = typed || drafts.read(this.draftName()) || "";
    this.keepDraft();
    this.changed();
    if (hasKeyboard.matches) this.box.focus();
  }

  /** What was added for the other conversation stays there. */
  changeFiles(topic) {
    this.drop();
    if (this.topic !== undefined) this.others.set(this.topic, this.files);
    this.files = (this.others.get(topic) || []).filter((entry) => !entry.failed);
    this.others.delete(topic);
    at("uploads").replaceChildren(...this.files.map((entry) => entry.element));
  }

  draftName() {
    return `draft ${location.pathname} ${this.topic}`;
  }

  /** A text that did not arrive is the person's again, before what they write now. */
  giveBack(text) {
    this.drop();
    this.box.value = [text, this.box.value].filter(Boolean).join("\n");
    this.keepDraft();
    this.changed();
  }

  keepDraft() {
    if (this.editing) return;
    if (this.box.value) drafts.write(this.draftName(), this.box.value);
    else drafts.remove(this.draftName());
  }

  changed() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, innerHeight * 0.4)}px`;
    const isReady = this.files.every((file) => file.id);
    at("send").disabled = !isReady || !(this.box.value.trim() || this.files.length);
    const found = /^\/([A-Za-z0-9_:-]*)$/.exec(this.box.value);
    this.offer(found ? this.menu.filter(([name]) => name.toLowerCase().startsWith(found[1].toLowerCase())) : []);
  }

  pressed(event) {
    if (event.isComposing) return;
    const options = at("commands").children;
    if (options.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.choose((this.chosen + (event.key === "ArrowDown" ? 1 : options.length - 1) + (this.chosen < 0 && event.key === "ArrowUp" ? 1 : 0)) % options.length);
    } else if (options.length && (event.key === "Tab" || (event.key === "Enter" && this.chosen >= 0))) {
      event.preventDefault();
      this.take(options[Math.max(0, this.chosen)].dataset.name);
    } else if (event.key === "Escape") {
      if (options.length) this.offer([]);
      else if (this.replyTo || this.editing) this.drop();
    } else if (event.key === "Enter" && !event.shiftKey && (hasKeyboard.matches || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    }
  }

  offer(found) {
    const list = at("commands");
    this.chosen = -1;
    list.replaceChildren(...found.slice(0, 60).map(([name, words], number) => make("li",
      { role: "option", id: `command-${number}`, "data-name": name, onmousedown: (event) => { event.preventDefault(); this.take(name); } },
      make("b", {}, `/${name}`), " ", make("span", {}, words))));
    list.hidden = !found.length;
    this.box.removeAttribute("aria-activedescendant");
  }

  choose(number) {
    const options = [...at("commands").children];
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === number)));
    this.chosen = number;
    options[number].scrollIntoView({ block: "nearest" });
    this.box.setAttribute("aria-activedescendant", options[number].id);
  }

  take(name) {
    this.box.value = `/${name} `;
    this.offer([]);
    this.changed();
    this.box.focus();
  }

  add(files) {
    for (const file of files) {
      const entry = { name: file.name, id: null };
      const bar = make("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
      const off = make("button", { type: "button", class: "plain", "aria-label": `Leave out ${file.name}` }, "✕");
      entry.element = make("li", {}, make("span", {}, `${file.name} (${sizeOf(file.size)})`), bar, off);
      off.addEventListener("click", () => this.leaveOut(entry));
      if (file.size > this.limits.upload_bytes) {
        this.fail(entry, bar, `too big, ${Math.floor(this.limits.upload_bytes / (1 << 20))} MB at most`);
      } else {
        this.files.push(entry);
        upload(file, (part) => { bar.value = part; })
          .then((kept) => { entry.id = kept.id; bar.remove(); this.changed(); })
          .catch((error) => { entry.failed = true; this.files = this.files.filter((other) => !other.failed); this.fail(entry, bar, error.message); });
      }
      at("uploads").append(entry.element);
    }
    this.changed();
  }

  fail(entry, bar, why) {
    bar.replaceWith(make("em", {}, why));
    this.changed();
  }

  leaveOut(entry) {
    this.files = this.files.filter((other) => other !== entry);
    entry.element.remove();
    this.changed();
    this.box.focus();
  }

  reply(id, words) {
    this.drop();
    this.replyTo = id;
    at("reply-text").textContent = `Reply to: ${words}`;
    at("reply").hidden = false;
    this.box.focus();
  }

  edit(id, text) {
    this.drop();
    this.editing = id;
    this.box.value = text;
    at("reply-text").textContent = "Change a message that waits";
    at("reply").hidden = false;
    this.changed();
    this.box.focus();
  }

  drop() {
    const wasEditing = this.editing;
    this.replyTo = this.editing = null;
    at("reply").hidden = true;
    if (!wasEditing) return;
    this.box.value = drafts.read(this.draftName()) || ""; // what was being written before
    this.changed();
  }

  submit() {
    if (at("send").disabled) return;
    const sent = { text: this.box.value, files: this.files.map((file) => file.id), replyTo: this.replyTo, editing: this.editing };
    if (!this.editing) {
      this.box.value = "";
      this.files = [];
      at("uploads").replaceChildren();
      this.keepDraft();
    }
    this.drop();
    this.changed();
    this.sendNow(sent);
  }
}
