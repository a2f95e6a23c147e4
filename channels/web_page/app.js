// The page: what is open, what comes in over the live line, and what the person does.

import { enter, get, Line, newKey, post } from "./api.js";
import { Chat } from "./chat.js";
import { Machine } from "./machine.js";
import { Composer } from "./composer.js";
import { Sent } from "./sent.js";
import { Bell } from "./bell.js";
import { Sidebar } from "./sidebar.js";
import { Terminal } from "./terminal.js";

const TYPING_MILLISECONDS = 6000;
const at = (id) => document.getElementById(id);
const parseTopic = () => { const found = /^#t(\d+)$/.exec(location.hash); return found ? Number(found[1]) : null; };

class Page {
  constructor(state) {
    this.state = state;
    this.presses = new Map();
    this.typing = new Map();
    this.bell = new Bell((topic) => this.go(topic));
    this.chat = new Chat(this);
    this.sidebar = new Sidebar((topic) => this.go(topic), (message) => this.goTo(message));
    this.sidebar.begin(state.topics, state.has_root);
    this.composer = new Composer((sent) => this.send(sent), state);
    at("device").textContent = state.device;
    this.sent = new Sent((entry) => this.showWaiting(entry), (entry, taken) => this.taken(entry, taken));
    this.line = new Line(state.upto, (said) => this.hear(said), (isOpen) => this.lineIs(isOpen));
    this.terminal = new Terminal((topic) => this.line.say({ watch: topic }), (text) => this.toast(text));
    this.machine = new Machine((session) => this.resume(session), (states) => this.sidebar.setStates(states));
    addEventListener("hashchange", () => this.open(parseTopic()));
    addEventListener("focus", () => this.sidebar.select(this.topic));
    at("export").addEventListener("click", () => this.sent.add(this.topic, "/export", [], null));
    at("remove").addEventListener("click", () => this.remove());
  }

  async begin() {
    const wanted = parseTopic();
    const first = this.state.topics.find((topic) => !topic.is_closed);
    await this.open(location.hash ? wanted : first ? first.id : null);
    document.body.dataset.ready = "";
  }

  // --- what is open ---------------------------------------------------------------------------

  go(topic) {
    const hash = topic === null ? "#new" : `#t${topic}`;
    if (location.hash !== hash) history.pushState(null, "", hash);
    this.open(topic); // at once: what is typed from now on belongs there
  }

  async open(topic) {
    this.topic = topic;
    if (topic === null) this.conversation = newKey();
    this.sidebar.select(topic);
    this.drawHead();
    const loading = this.chat.open(topic);
    for (const entry of this.sent.entries) this.showWaiting(entry);
    const menu = (topic !== null && this.state.menus[topic]) || this.state.menu;
    this.composer.menu = menu;
    this.composer.open(topic, topic !== null && topic === this.followed);
    this.followed = null;
    this.terminal.open(topic);
    at("export").hidden = topic === null;
    at("remove").hidden = !topic;
    this.drawTyping();
    await loading;
  }

  async goTo(message) {
    if (message.topic !== this.topic) {
      history.pushState(null, "", `#t${message.topic}`);
      await this.open(message.topic);
    }
    await this.chat.show(message.id);
  }

  drawHead() {
    at("title").textContent = this.sidebar.nameOf(this.topic);
  }

  // --- what comes in --------------------------------------------------------------------------

  hear(said) {
    switch (said.type) {
      case "changes":
        if (!said.is_whole) { this.restart(); return; }
        for (const topic of said.topics) this.sidebar.put(topic);
        if (said.topics.some((topic) => topic.is_gone && topic.id === this.topic)) this.go(null);
        if (said.topics.length) this.drawHead();
        this.takeAll(said.messages);
        this.machine.soon();
        break;
      case "typing":
        this.typing.set(said.topic, performance.now() + TYPING_MILLISECONDS);
        this.drawTyping();
        break;
      case "pressed":
        this.presses.get(said.key)?.();
        this.presses.delete(said.key);
        if (said.text) this.toast(said.text);
        break;
      case "screen":
        if (said.topic === this.terminal.topic) this.terminal.show(said);
        break;
      case "menu":
        this.state.menus[said.topic] = said.menu;
        if (said.topic === this.topic) this.composer.menu = said.menu;
        break;
    }
  }

  takeAll(messages) {
    const newest = this.state.newest;
    for (const message of messages) {
      this.chat.put(message);
      if (message.id > newest && !message.is_deleted) this.tell(message);
      this.state.newest = Math.max(this.state.newest, message.id);
      if (!message.is_mine && message.body.style === "markdown") this.typing.delete(message.topic);
    }
    this.drawTyping();
  }

  /** The person learns of a message that is new. */
  tell(message) {
    if (message.topic === this.topic) this.chat.noteNew();
    this.sidebar.note(message, message.topic === this.topic && document.hasFocus());
    if (!message.is_mine && !message.body.silent) this.bell.ring(this.sidebar.nameOf(message.topic), message);
  }

  async restart() {
    Object.assign(this.state, await get("state"));
    this.sidebar.begin(this.state.topics, this.state.has_root);
    await this.open(this.topic);
  }

  drawTyping() {
    clearTimeout(this.typingTimer);
    const left = (this.typing.get(this.topic) || 0) - performance.now();
    at("typing").hidden = left <= 0;
    if (left > 0) {
      this.typingTimer = setTimeout(() => this.drawTyping(), left);
      this.chat.toEnd();
    }
  }

  /** A break counts from its beginning, however often the line is tried meanwhile. */
  lineIs(isOpen) {
    if (!isOpen) {
      this.lineTimer ??= setTimeout(() => { at("state").textContent = "Not connected"; }, 1500);
      return;
    }
    clearTimeout(this.lineTimer);
    this.lineTimer = null;
    at("state").textContent = "";
  }

  // --- what the person does -------------------------------------------------------------------

  send({ text, files, replyTo, editing }) {
    if (editing) {
      post("edit", { key: newKey(), message: editing, text }).catch((error) => {
        this.composer.giveBack(text);
        this.toast(error.message);
      });
      return;
    }
    this.sent.add(this.topic, text, files, replyTo, this.conversation);
    this.chat.toEnd(true);
  }

  remove() {
    const words = `Delete “${this.sidebar.nameOf(this.topic)}” for good? What was said here and its files go. The session itself stays: /forget deletes that.`;
    if (confirm(words)) post("remove", { topic: this.topic }).catch((error) => this.toast(error.message));
  }

  /** Go on with a session of the machine, in a conversation of its own. */
  resume(session) {
    this.sidebar.choose(null);
    this.sent.add(null, `/resume ${session.id}`, [], null, this.conversation);
  }

  showWaiting(entry) {
    const isHomeless = entry.refused && entry.topic && !this.sidebar.topics.has(entry.topic);
    if ((isHomeless ? null : entry.topic) === this.topic) this.chat.putWaiting(entry);
  }

  taken(entry, taken) {
    if (this.topic !== null || entry.conversation !== this.conversation) return;
    this.followed = taken.topic; // the same conversation, which has a number now
    this.go(taken.topic);
  }

  takeBack(entry) {
    this.sent.takeBack(entry);
    this.chat.dropWaiting(entry.key);
    this.composer.giveBack(entry.text);
  }

  press(message, button, done) {
    const key = newKey();
    this.presses.set(key, done);
    setTimeout(() => { if (this.presses.delete(key)) done(); }, 15000);
    post("press", { key, message: message.id, press: button }).catch((error) => { done(); this.toast(error.message); });
  }

  reply(message) {
    this.composer.reply(message.id, this.chat.textOf(message.id).slice(0, 80));
  }

  edit(message) {
    this.composer.edit(message.id, message.body.text || "");
  }

  show(id) {
    this.chat.show(id);
  }

  textOf(id) {
    return this.chat.textOf(id);
  }

  toast(text) {
    at("toast").textContent = text;
    at("toast").hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => { at("toast").hidden = true; }, 4000);
  }
}

addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // it may be out since
await enter();
new Page(await get("state")).begin();
