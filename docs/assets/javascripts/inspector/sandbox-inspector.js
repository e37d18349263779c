// <sandbox-inspector>: the live page. Its parts are loaded where the element stands, and nowhere else.

class SandboxInspector extends HTMLElement {
  #left = new AbortController(); // aborts when the element leaves the page

  async connectedCallback() {
    this.#left = new AbortController();
    const { signal } = this.#left;
    const { Inspector } = await import("./inspector.js");
    if (!signal.aborted) new Inspector(this, signal);
  }

  disconnectedCallback() {
    this.#left.abort();
  }
}

customElements.define("sandbox-inspector", SandboxInspector);
