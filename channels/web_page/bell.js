// Tells the person, where the browser lets it, when something was said that is not silent.

import { textOf } from "./tree.js";

export class Bell {
  /** `open` opens a conversation. */
  constructor(open) {
    this.open = open;
    const button = document.getElementById("bell");
    button.hidden = !("Notification" in window) || Notification.permission !== "default";
    button.addEventListener("click", async () => {
      await Notification.requestPermission();
      button.hidden = Notification.permission !== "default";
    });
  }

  ring(title, message) {
    if (document.hasFocus() || !("Notification" in window) || Notification.permission !== "granted") return;
    const words = textOf(message);
    try {
      const shown = new Notification(title, { body: words.slice(0, 200), tag: `message ${message.id}` });
      shown.addEventListener("click", () => { focus(); this.open(message.topic); shown.close(); });
    } catch {
      // a phone's browser wants a service worker for that; the title still counts
    }
  }
}
