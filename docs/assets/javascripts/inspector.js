// <sandbox-inspector>: the live page. Its parts are loaded where the element stands, and nowhere else.

class SandboxInspector extends HTMLElement {
  async connectedCallback() {
    this.left = new AbortController(); // aborts when the element leaves the page
    const { signal } = this.left;
    const { Inspector } = await import("./inspector-page.js");
    if (!signal.aborted) new Inspector(this, signal);
  }

  disconnectedCallback() {
    this.left.abort();
  }
}

customElements.define("sandbox-inspector", SandboxInspector);
