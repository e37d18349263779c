// A card that runs: sends its requests one after the other, and shows what comes back.
// States, in `data-state`: idle, running, succeeded, rejected, offline.

import { find, node, required } from "../shared/dom.js";
import { chooseKey } from "../shared/key-dialog.js";
import { NoResponse, newId, send } from "../shared/sandbox-client.js";
import * as session from "../shared/session.js";
import { CallLife } from "./call-life.js";
import { fixFor } from "./fixes.js";
import { RequestForm } from "./request-form.js";
import { CardResponse } from "./response.js";
import { fillPath, filled } from "./runtime-expressions.js";

const SEEN_PX = 80; // of a response: its status and the first line

export class Card {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** @type {CardData} */
    this.data = JSON.parse(element.dataset.card ?? "");
    this.request = /** @type {CardRequest} */ (this.data.requests.at(-1)); // the one that the card is about
    this.left = new AbortController(); // aborts when the card leaves the page
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {CallLife | null} */
    this.life = null;
    this.lifePlace = find(element, ".card-life", HTMLElement); // none, where the request places no call
    this.lifeAtFirst = [...(this.lifePlace?.childNodes ?? [])];
    this.lifeState = find(element, ".card-state", HTMLElement);
    this.status = required(element, '[role="status"]', HTMLElement);
    this.button = required(element, ".card-run", HTMLButtonElement);
    this.cancelButton = required(element, ".card-cancel", HTMLButtonElement);
    this.keyButton = find(element, "button.card-key", HTMLButtonElement);
    this.response = new CardResponse(required(element, ".card-response", HTMLElement));
    this.form = new RequestForm(element, { data: this.data, request: this.request, signal: this.left.signal, announce: (text) => this.announce(text) });
    this.listen();
    this.showKey();
    element.dataset.state = "idle";
  }

  stop() {
    this.left.abort();
    this.running?.abort();
    this.life?.stop();
  }

  listen() {
    const { signal } = this.left;
    this.button.addEventListener("click", () => this.run(), { signal });
    this.cancelButton.addEventListener("click", () => this.cancel(), { signal });
    this.element.addEventListener("keydown", (event) => this.pressed(event), { signal });
    // Some browsers leave the focus on the page when a button is clicked: Esc is meant for us all the same.
    document.addEventListener("keydown", (event) => event.target === document.body && this.pressed(event), { signal });
    this.keyButton?.addEventListener("click", () => chooseKey(), { signal });
    session.on("key", () => this.showKey(), signal);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === "Escape" && this.running) {
      event.preventDefault();
      this.cancel();
    }
    if (event.key === "Enter" && this.form.sends(event)) {
      event.preventDefault();
      this.run();
    }
  }

  cancel() {
    if (document.activeElement === this.cancelButton) this.button.focus(); // this button goes away
    this.running?.abort();
  }

  /**
   * Sends the card's requests. A fix sends only the last one, with `changes`.
   * @param {RequestChanges | null} [changes]
   */
  async run(changes = null) {
    if (this.running) return;
    if (changes?.body) this.form.write(changes.body);
    if (!this.form.check()) return;
    this.startLife();
    const running = new AbortController();
    this.running = running;
    const requests = this.requestsWith(changes);
    this.enter("running");
    this.response.running(requests);
    this.announce("Running");
    try {
      if (await this.runEarlier(requests, changes, running.signal)) await this.runLast(requests, running.signal);
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      this.showNoResponse(error.reason);
    } finally {
      this.running = null;
      if (!this.life?.isFollowed) this.forgetLife();
      this.button.textContent = this.element.dataset.state === "offline" ? "Retry" : "Try API";
      this.cancelButton.hidden = true;
    }
  }

  /**
   * The requests to send, one after the other.
   * @param {RequestChanges | null} changes
   */
  requestsWith(changes) {
    if (changes === null) return this.data.requests;
    const { newCall, ...changed } = changes;
    const last = { ...this.request, ...changed, ...(changed.method ? { operation: null } : {}) };
    return newCall && this.data.newCall ? [this.data.newCall, last] : [last];
  }

  /**
   * Runs the requests that must come first; true when all succeeded.
   * @param {CardRequest[]} requests
   * @param {RequestChanges | null} changes
   * @param {AbortSignal} signal
   */
  async runEarlier(requests, changes, signal) {
    for (const [i, request] of requests.slice(0, -1).entries()) {
      const body = request.body === null ? null : JSON.stringify(request.body);
      const response = await sendRequest(request, { parameters: request.parameters, body, signal });
      this.response.showLine(i, request, response);
      if (response.status >= 300) {
        this.showResponse(request, response);
        return false;
      }
      this.passOn(request, response);
      if (changes?.newCall) this.takeOver(request, response);
    }
    return true;
  }

  /**
   * @param {CardRequest[]} requests
   * @param {AbortSignal} signal
   */
  async runLast(requests, signal) {
    const request = /** @type {CardRequest} */ (requests.at(-1));
    const response = await sendRequest(request, { parameters: this.form.parameters(), body: this.form.body(), signal });
    this.response.showLine(requests.length - 1, request, response);
    this.showResponse(request, response);
    if (response.status >= 300) return;
    this.passOn(this.request, response);
    if (this.data.opens) this.response.choose(this.data.opens);
    this.life?.follow(response.json);
  }

  /**
   * Gives the values of a response to the cards that its links name.
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  passOn(request, response) {
    for (const link of request.links) {
      const values = {
        parameters: filled(link.parameters, response.json),
        body: filled(link.body, response.json),
        from: request === this.request ? this.data.title : request.summary,
      };
      if (Object.keys({ ...values.parameters, ...values.body }).length) session.capture(link.operation, values);
    }
  }

  /**
   * Fills this card from the response to a request that was sent for it.
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  takeOver(request, response) {
    const link = request.links.find(({ operation }) => operation === this.request.operation);
    this.form.fill(filled(link?.parameters, response.json));
  }

  // What the card shows

  /** Draws the life of the call that is about to be created. */
  startLife() {
    this.forgetLife();
    if (!this.data.life) return;
    this.life = new CallLife(this.data.life, { announce: (text) => this.announce(text), onState: (text) => this.showState(text) });
    this.lifePlace?.replaceChildren(this.life.element);
  }

  /** No call was created: its tab is as it was before the first one. */
  forgetLife() {
    if (!this.life) return;
    this.life.stop();
    this.life = null;
    this.showState("");
    this.lifePlace?.replaceChildren(...this.lifeAtFirst);
  }

  /** @param {string} text */
  showState(text) {
    if (this.lifeState) this.lifeState.textContent = text;
  }

  /** @param {"idle" | "running" | "succeeded" | "rejected" | "offline"} state */
  enter(state) {
    this.element.dataset.state = state;
    if (state !== "running") return;
    this.button.textContent = "Running…";
    this.cancelButton.hidden = false;
  }

  /**
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  showResponse(request, response) {
    this.enter(response.status >= 400 ? "rejected" : "succeeded");
    const name = this.response.show(request, response, this.fixButton(response));
    this.announce(`${name}, ${response.milliseconds} ms`);
    if (response.status >= 400) this.response.choose("response"); // there is no call to look at
    this.bringIntoView();
  }

  /** In a small window the response is below it, and pressing the button would seem to do nothing. */
  bringIntoView() {
    const { element } = this.response;
    if (element.getBoundingClientRect().top > innerHeight - SEEN_PX) element.scrollIntoView({ block: "nearest" });
  }

  /** @param {SandboxResponse} response */
  fixButton({ status, json }) {
    const problem = /** @type {Problem | undefined} */ (json);
    const found = status >= 400 ? fixFor(problem?.code, this.data, { isEdited: this.form.isEdited() }) : null;
    if (!found) return null;
    const press = () => {
      this.button.focus(); // this button goes away with the problem
      this.run(found.fix());
    };
    return node("p", {}, node("button", { type: "button", class: "card-fix", onclick: press }, found.label));
  }

  /** @param {NoResponseReason} reason */
  showNoResponse(reason) {
    this.enter(reason === "canceled" ? "idle" : "offline");
    this.announce(this.response.showNoResponse(reason, this.request));
    this.response.choose("response"); // why there is none stands above it
    if (reason !== "canceled") this.bringIntoView();
  }

  showKey() {
    if (!this.keyButton) return;
    this.keyButton.hidden = false;
    this.keyButton.title = session.key();
    required(this.keyButton, "code", HTMLElement).textContent = session.shortKey();
  }

  /** @param {string} text */
  announce(text) {
    this.status.textContent = text;
  }
}

/**
 * @param {CardRequest} request
 * @param {{ parameters: Record<string, string>, body: string | null, signal: AbortSignal }} values
 */
function sendRequest(request, { parameters, body, signal }) {
  const query = new URLSearchParams(request.query).toString();
  return send({
    method: request.method,
    path: fillPath(request.path, parameters) + (query ? `?${query}` : ""),
    body: body === null ? null : body.padStart(request.padTo),
    mediaType: request.mediaType,
    headers: { ...(request.idempotent ? { "Idempotency-Key": newId() } : {}), ...request.headers },
    token: request.token,
    signal,
  });
}
