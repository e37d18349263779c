// <try-api>: makes a card of the page run. The card is complete HTML without it.

import { Card } from "./card/card.js";

class TryApi extends HTMLElement {
  /** @type {Card | null} */
  #card = null;

  connectedCallback() {
    const closed = this.closest("details:not([open])"); // nobody sees it yet, so it costs nothing yet
    if (closed) closed.addEventListener("toggle", () => this.start(), { once: true });
    else this.start();
  }

  start() {
    if (this.isConnected) this.#card = new Card(this);
  }

  disconnectedCallback() {
    this.#card?.stop();
    this.#card = null;
  }
}

customElements.define("try-api", TryApi);
