// The tree of a text (channels/web_markdown.py) to elements. Every text stays a text.

const PLAIN = new Set(["p", "strong", "em", "del", "li", "ul", "blockquote", "hr", "br", "code",
  "h1", "h2", "h3", "h4", "h5", "h6", "span", "tr", "td", "th"]);
const LINK = /^(https?:\/\/|mailto:)/i;
const CLASS = /^[a-z0-9]{1,4}$/;

/** An element with attributes and children; a child may be a text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The nodes as a fragment. */
export function build(nodes) {
  const fragment = document.createDocumentFragment();
  for (const node of nodes) fragment.append(typeof node === "string" ? node : element(node));
  return fragment;
}

/** The words of a message, without what they look like. */
export function textOf(message) {
  const collect = (nodes) => nodes.map((node) => (typeof node === "string" ? node : collect(node.slice(2)))).join("");
  return message.body.text || (message.body.nodes || []).map((node) => collect([node])).join(" ");
}

function element([name, attributes, ...children]) {
  switch (name) {
    case "a":
      return link(attributes.href, children);
    case "pre":
      return code(attributes.language, children);
    case "table":
      return table(children);
    case "ol":
      return make("ol", { start: attributes.start }, build(children));
    case "task":
      return make("span", { class: "task", role: "img", "aria-label": attributes.done ? "Done: " : "To do: " },
        attributes.done ? "☑ " : "☐ ");
    case "td":
    case "th":
      return make(name, { class: attributes.align && `to-${attributes.align}` }, build(children));
    case "h1": case "h2": case "h3": case "h4": case "h5": case "h6":
      // the page's own headings come first
      return make(`h${Math.min(6, Number(name[1]) + 2)}`, { class: `as-${name}` }, build(children));
    default:
      return make(PLAIN.has(name) ? name : "span", {}, build(children));
  }
}

function link(href, children) {
  if (!LINK.test(href)) return make("span", {}, build(children));
  return make("a", { href, target: "_blank", rel: "noopener noreferrer" }, build(children));
}

function table(rows) {
  const [head, ...body] = rows;
  const made = make("table", {}, make("thead", {}, make("tr", {}, build(head ? head.slice(2) : []))),
    make("tbody", {}, build(body)));
  return make("div", { class: "wide-content", tabindex: 0, role: "region", "aria-label": "Table" }, made);
}

function code(language, children) {
  const text = make("code");
  for (const child of children) {
    text.append(typeof child === "string" ? child
      : make("span", { class: CLASS.test(child[0]) ? `c-${child[0]}` : null }, child[1]));
  }
  const copy = make("button", { class: "copy", type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  const pre = make("pre", { tabindex: 0, role: "region", "aria-label": language ? `Code, ${language}` : "Code" }, text);
  return make("div", { class: "code" }, make("div", { class: "code-head" }, make("span", {}, language || ""), copy), pre);
}
