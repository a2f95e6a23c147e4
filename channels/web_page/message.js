// A message as an element: what it says, its files, its buttons, and how far it is.

import { build, make } from "./tree.js";

const SIGNS = {
  "": ["·", "Sent"],
  received: ["✓", "Kept, waits for Claude"],
  delivered: ["✓✓", "Claude has it"],
  answered: ["●", "Answered"],
  failed: ["!", "Not answered"],
};

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

export const dayOf = (at) => day.format(new Date(at * 1000));

/** The element of a message; `act` does what its buttons say. */
export function render(message, act) {
  const body = message.body;
  const style = message.is_mine ? "mine" : body.style || "notice";
  const isFolded = style === "card" && !body.keyboard && !body.details;
  const element = make("article", { class: `message ${style}${isFolded ? " folded" : ""}`, "data-id": message.id });
  element.setAttribute("aria-label", `${message.is_mine ? "You" : style === "markdown" ? "Claude" : "Bridge"}, ${time.format(new Date(message.at * 1000))}`);
  if (style === "card" || style === "screen") element.setAttribute("aria-live", "off");
  if (body.reply) element.append(quote(body.reply, act));
  element.append(...content(message, style));
  if (body.details) {
    const details = make("details", {}, make("summary", {}, "Details"), make("pre", { class: "details" }, body.details));
    element.append(details);
  }
  if (body.files) element.append(files(body.files));
  if (body.keyboard) element.append(keyboard(message, act));
  element.append(foot(message, act));
  return element;
}

function content(message, style) {
  const body = message.body;
  if (message.is_mine) return body.text ? [make("div", { class: "text" }, body.text)] : [];
  if (!body.nodes || !body.nodes.length) return [];
  return [make("div", { class: style === "notice" ? "text line" : "text" }, build(body.nodes))];
}

function quote(id, act) {
  const words = act.textOf(id);
  return make("button", { class: "quote", type: "button", onclick: () => act.show(id) }, words || "An earlier message");
}

function files(found) {
  const list = make("ul", { class: "files", "aria-label": "Files" });
  for (const file of found) {
    const address = `./files/${file.id}/${encodeURIComponent(file.name)}`;
    const name = `${file.name} (${sizeOf(file.size)})`;
    if (file.photo) {
      const picture = make("img", { src: address, alt: file.name, loading: "lazy", decoding: "async" });
      list.append(make("li", { class: "picture" }, make("a", { href: address, target: "_blank", rel: "noopener" }, picture)));
    } else {
      const mark = make("span", { class: "file-mark", "aria-hidden": "true" }, "↓");
      list.append(make("li", {}, make("a", { class: "file", href: address, download: file.name }, mark, name)));
    }
  }
  return list;
}

export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`;
}

function keyboard(message, act) {
  const rows = make("div", { class: "keyboard", role: "group", "aria-label": "Answers" });
  for (const row of message.body.keyboard) {
    const line = make("div", { class: "keys" });
    for (const button of row) {
      const made = make("button", { type: "button", class: "key" }, button.label);
      made.addEventListener("click", () => {
        made.classList.add("waits");
        act.press(message, button.press, () => made.classList.remove("waits"));
      });
      line.append(made);
    }
    rows.append(line);
  }
  return rows;
}

function foot(message, act) {
  const body = message.body;
  const line = make("footer", {}, make("time", { datetime: new Date(message.at * 1000).toISOString() }, time.format(new Date(message.at * 1000))));
  if (message.body.edited) line.append(make("span", {}, "changed"));
  if (message.is_mine) {
    const [mark, words] = SIGNS[message.sign] || SIGNS[""];
    line.append(make("span", { class: `sign ${message.sign || "sent"}`, role: "img", "aria-label": words, title: words }, mark));
    if (message.sign === "received" && !message.body.files) {
      line.append(make("button", { class: "small", type: "button", onclick: () => act.edit(message) }, "Change"));
    }
  } else if (body.keyboard || body.style === "markdown") {
    line.append(make("button", { class: "small", type: "button", onclick: () => act.reply(message) }, "Reply"));
  }
  return line;
}

/** What a person has sent, before the bridge has it: said aloud once it has, or has refused it. */
export function renderWaiting(waiting, act) {
  const element = make("article", { class: "message mine waiting", "aria-label": "You, not sent yet" });
  if (!waiting.refused) element.setAttribute("aria-live", "off");
  if (waiting.text) element.append(make("div", { class: "text" }, waiting.text));
  const line = make("footer", {}, make("span", {}, waiting.refused || "Sending…"));
  if (waiting.refused) line.append(make("button", { class: "small", type: "button", onclick: () => act.takeBack(waiting) }, "Take back"));
  element.append(line);
  return element;
}
