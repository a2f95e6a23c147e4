// What the browser keeps for the page, by name. Where it refuses (a private window, a full disk, a
// person who wants no storage), the page keeps it itself for as long as it is open.

class Shelf {
  /** `find` finds the browser's storage, and may fail. */
  constructor(find) {
    this.find = find;
    this.own = new Map();
  }

  read(name) {
    return this.own.get(name) ?? this.ask((storage) => storage.getItem(name)) ?? null;
  }

  write(name, text) {
    const isKept = this.ask((storage) => { storage.setItem(name, text); return true; });
    if (isKept) this.own.delete(name);
    else this.own.set(name, text);
  }

  remove(name) {
    this.own.delete(name);
    this.ask((storage) => storage.removeItem(name));
  }

  names() {
    return [...new Set([...this.ask((storage) => Object.keys(storage)) ?? [], ...this.own.keys()])];
  }

  ask(question) {
    try {
      return question(this.find());
    } catch {
      return undefined;
    }
  }
}

/** What stays, for all tabs. */
export const unsent = new Shelf(() => localStorage);
/** What a reload of this tab must not lose. */
export const drafts = new Shelf(() => sessionStorage);
/** How the person likes the page; nobody minds when that is forgotten. */
export const tastes = new Shelf(() => localStorage);

addEventListener("beforeunload", (event) => {
  if (unsent.own.size || drafts.own.size) event.preventDefault(); // the browser asks
});
