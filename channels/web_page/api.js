// What the page asks of the bridge. All addresses are relative to the page's own.

const PAUSES = [500, 1000, 2000, 5000];
const SILENCE = 60000; // milliseconds; the bridge says something three times as often

/** Something was refused, for good; the text says why. */
export class Refused extends Error {}

export const newKey = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
};

const line = new EventTarget(); // tells when it is open again
/** Wait so long, but no longer than until the bridge is there again. */
const sleep = (milliseconds) => new Promise((done) => {
  setTimeout(done, milliseconds);
  line.addEventListener("open", done, { once: true });
});

/** The answer to a question; throws Refused for what will not be answered. */
export async function get(path, query = {}) {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined));
  return await attempt(() => fetch(`./api/${path}?${words}`, { headers: { Accept: "application/json" } }));
}

/** Do something, until it is surely done: its key makes that once. */
export async function post(path, value) {
  const body = JSON.stringify(value);
  return await attempt(() => fetch(`./api/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body }));
}

/** Bring the key of the link that the page was opened by. It leaves the address bar. */
export async function enter() {
  const key = new URLSearchParams(location.search).get("key");
  if (key === null) return;
  await attempt(() => fetch("./enter", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }) }));
  history.replaceState(null, "", `./${location.hash}`);
}

/** This browser is out: what was shown is hidden at once, and gone with the page. */
function shutOut() {
  if (!document.documentElement.hidden) location.replace("./closed.html");
  document.documentElement.hidden = true;
  return new Promise(() => {}); // nothing goes on from here
}

/** Do something that must not be done twice: tried once. */
export async function once(path, value) {
  const answer = await fetch(`./api/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
  if (answer.ok) return await answer.json();
  if (answer.status === 401) await shutOut();
  throw new Refused(await answer.text());
}

/** Send a file's content; tells how much of it has gone. */
export function upload(file, onProgress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "./api/files");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name || "file"));
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / (event.total || 1)));
    request.addEventListener("load", () => {
      if (request.status === 200) done(JSON.parse(request.responseText));
      else if (request.status === 401) shutOut();
      else fail(new Refused(request.responseText || "The file was refused."));
    });
    request.addEventListener("error", () => fail(new Refused("The file did not arrive; add it again.")));
    request.send(file);
  });
}

async function attempt(ask) {
  for (let number = 0; ; number += 1) {
    try {
      const answer = await ask();
      if (answer.ok) return await answer.json();
      if (answer.status === 401) await shutOut();
      if (answer.status < 500 && answer.status !== 429) throw new Refused(await answer.text());
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await sleep(PAUSES[Math.min(number, PAUSES.length - 1)]);
  }
}

/**
 * The live line: calls `hear` for each thing said, and goes on after every break. A network that is
 * gone closes nothing: where it goes or comes, or nothing was heard for long, the line is opened anew.
 */
export class Line {
  constructor(since, hear, onState) {
    this.since = since;
    this.hear = hear;
    this.onState = onState;
    this.pause = 0;
    this.wanted = null;
    this.socket = null;
    this.open();
    const wake = () => { if (document.visibilityState === "visible" && this.socket.readyState > 1) this.open(); };
    document.addEventListener("visibilitychange", wake);
    for (const change of ["online", "offline"]) addEventListener(change, () => this.open());
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.open(), SILENCE);
  }

  say(value) {
    this.wanted = value;
    if (this.socket.readyState === 1) this.socket.send(JSON.stringify(value));
  }

  open() {
    clearTimeout(this.timer);
    this.listen();
    this.socket?.close();
    const address = new URL(`./api/live?since=${this.since}`, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.hash = "";
    const socket = this.socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      this.pause = 0;
      this.onState(true);
      line.dispatchEvent(new Event("open"));
      if (this.wanted) socket.send(JSON.stringify(this.wanted));
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.listen();
      const said = JSON.parse(event.data);
      if (said.type === "changes") this.since = said.upto;
      this.hear(said);
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      this.onState(false);
      if (event.code === 4001) get("state").catch(() => {});
      this.pause = Math.min(5000, Math.max(300, this.pause * 2));
      this.timer = setTimeout(() => this.open(), this.pause);
    });
  }
}
