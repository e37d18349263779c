// <try-api>: makes a card of the page run. The card is complete HTML without it.
// States, in `data-state`: idle, running, answered, refused, offline.

import { CallLife } from "./call-life.js";
import { CardAnswer } from "./card-answer.js";
import { Unreached, freshId, send } from "./exchange.js";
import { fillPath, filled } from "./expressions.js";
import { chooseKey } from "./key-chooser.js";
import { jsonFault } from "./json-fault.js";
import { literal, text } from "./literals.js";
import { mendFor } from "./mends.js";
import { node } from "./nodes.js";
import * as session from "./session.js";

const LATE_MS = 150; // then room is made for what the answer brings: half a second after a press nothing may move

class TryApi extends HTMLElement {
  connectedCallback() {
    const closed = this.closest("details:not([open])"); // nobody sees it yet, so it costs nothing yet
    if (closed) closed.addEventListener("toggle", () => this.isConnected && this.start(), { once: true });
    else this.start();
  }

  start() {
    this.data = JSON.parse(this.dataset.card);
    this.step = this.data.steps.at(-1); // the request that the card is about
    this.left = new AbortController(); // aborts when the card leaves the page
    this.find = (selector) => this.querySelector(selector);
    this.answer = new CardAnswer(this.find(".card-answer"));
    this.button = this.find(".card-run");
    this.cancelButton = this.find(".card-cancel");
    this.editor = this.find("textarea");
    this.outcome = this.find(".card-outcome select");
    this.inputs = [...this.querySelectorAll(".card-parameter input")];
    this.listen();
    this.showLanguage(session.language());
    this.showBase();
    this.showKey();
    this.showCaptured();
    this.dataset.state = "idle";
  }

  disconnectedCallback() {
    this.left?.abort();
    this.running?.abort();
    this.life?.stop();
  }

  listen() {
    const { signal } = this.left;
    this.button.addEventListener("click", () => this.run(), { signal });
    this.cancelButton.addEventListener("click", () => this.cancel(), { signal });
    this.addEventListener("keydown", (event) => this.pressed(event), { signal });
    // Some browsers leave the focus on the page when a button is clicked: Esc is meant for us all the same.
    document.addEventListener("keydown", (event) => event.target === document.body && this.pressed(event), { signal });
    this.editor?.addEventListener("input", () => this.edited(), { signal });
    this.outcome?.addEventListener("change", () => this.chooseOutcome(), { signal });
    this.find("button.card-key")?.addEventListener("click", () => chooseKey(), { signal });
    for (const input of this.inputs) {
      input.addEventListener("input", () => this.showParameter(input.name, input.value), { signal });
    }
    for (const tab of this.querySelectorAll(".card-tab")) {
      tab.addEventListener("change", () => session.chooseLanguage(tab.value), { signal });
    }
    const base = this.find(".card-base select");
    base?.addEventListener("change", () => session.chooseBase(base.value), { signal });
    session.on("language", (language) => this.showLanguage(language), signal);
    session.on("base", () => this.showBase(), signal);
    session.on("key", () => (this.showKey(), this.showCaptured()), signal);
    session.on("captured", (operation) => operation === this.step.operation && this.showCaptured(), signal);
  }

  pressed(event) {
    if (event.key === "Escape" && this.running) {
      event.preventDefault();
      this.cancel();
    }
    const writing = event.target === this.editor || this.inputs.includes(event.target);
    if (event.key === "Enter" && writing && (event.ctrlKey || event.metaKey || event.target !== this.editor)) {
      event.preventDefault();
      this.run();
    }
  }

  cancel() {
    if (document.activeElement === this.cancelButton) this.button.focus(); // this button goes away
    this.running?.abort();
  }

  /** Sends the card's requests. A mend sends only the last one, with `changes`. */
  async run(changes = null) {
    if (this.running) return;
    const fault = this.editor && this.step.raw === null && !changes?.body ? jsonFault(this.editor.value) : null;
    this.markFault(fault);
    if (fault) return;
    this.life?.stop();
    this.life = null;
    this.running = new AbortController();
    const steps = this.stepsWith(changes);
    this.enter("running");
    this.answer.running(steps);
    this.announce("Running");
    const late = setTimeout(() => this.makeRoomForLife(), LATE_MS);
    try {
      if (await this.runEarlier(steps, changes)) await this.runLast(steps, changes);
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      this.showUnreached(error.kind);
    } finally {
      this.running = null;
      clearTimeout(late);
      if (!this.life?.isFollowed) this.find(".card-life").hidden = true;
      this.button.textContent = this.dataset.state === "offline" ? "Retry" : "Try API";
      this.cancelButton.hidden = true;
    }
  }

  /** The requests to send, one after the other. */
  stepsWith(changes) {
    if (changes === null) return this.data.steps;
    const last = { ...this.step, ...changes, ...(changes.method ? { operation: null } : {}) };
    return changes.create ? [this.data.fresh, last] : [last];
  }

  /** Runs the requests that must come first; true when all succeeded. */
  async runEarlier(steps, changes) {
    for (const [i, step] of steps.slice(0, -1).entries()) {
      const body = step.body === null ? null : JSON.stringify(step.body);
      const answer = await this.exchange(step, { parameters: step.parameters, body });
      this.answer.showStep(i, step, answer);
      if (answer.status >= 300) {
        this.showAnswer(step, answer);
        return false;
      }
      this.passOn(step, answer);
      if (changes?.create) this.takeOver(step, answer);
    }
    return true;
  }

  async runLast(steps, changes) {
    if (changes?.body) this.write(changes.body);
    const parameters = Object.fromEntries(this.inputs.map((input) => [input.name, input.value.trim()]));
    const body = this.editor ? this.editor.value : this.step.body === null ? null : JSON.stringify(this.step.body);
    const step = steps.at(-1);
    const answer = await this.exchange(step, { parameters, body });
    this.answer.showStep(steps.length - 1, step, answer);
    this.showAnswer(step, answer);
    if (answer.status >= 300) return;
    this.passOn(this.step, answer);
    this.makeRoomForLife();
    this.life?.follow(answer.json);
  }

  exchange(step, { parameters, body }) {
    const query = new URLSearchParams(step.query).toString();
    return send({
      method: step.method,
      path: fillPath(step.path, parameters) + (query ? `?${query}` : ""),
      body: body === null ? null : body.padStart(step.padTo),
      mediaType: step.mediaType,
      headers: { ...(step.idempotent ? { "Idempotency-Key": freshId() } : {}), ...step.headers },
      token: step.token,
      signal: this.running.signal,
    });
  }

  /** Gives the values of an answer to the cards that its links name. */
  passOn(step, answer) {
    for (const link of step.links) {
      const values = {
        parameters: filled(link.parameters, answer.json),
        body: filled(link.body, answer.json),
        from: step === this.step ? this.data.title : step.summary,
      };
      if (Object.keys({ ...values.parameters, ...values.body }).length) session.capture(link.operation, values);
    }
  }

  /** Fills this card from the answer of a request that was made for it. */
  takeOver(step, answer) {
    const link = step.links.find(({ operation }) => operation === this.step.operation);
    for (const [name, value] of Object.entries(filled(link?.parameters, answer.json))) {
      const input = this.inputs.find((each) => each.name === name);
      if (input) input.value = value;
      this.showParameter(name, value);
    }
  }

  // What the card shows

  /** Where the answer is late the life of its call has its place before it, so that nothing moves then. */
  makeRoomForLife() {
    if (!this.data.life || this.life) return;
    this.life = new CallLife(this.data.life, { announce: (said) => this.announce(said) });
    this.find(".card-life").replaceChildren(this.life.element);
    this.find(".card-life").hidden = false;
  }

  enter(state) {
    this.dataset.state = state;
    if (state !== "running") return;
    this.button.textContent = "Running…";
    this.cancelButton.hidden = false;
  }

  showAnswer(step, answer) {
    this.enter(answer.status >= 400 ? "refused" : "answered");
    const name = this.answer.show(step, answer, this.mendButton(answer));
    this.announce(`${name}, ${answer.milliseconds} ms`);
  }

  mendButton(answer) {
    const found = answer.status >= 400 ? mendFor(answer.json?.code, { ...this.data, edited: this.isEdited() }) : null;
    if (!found) return null;
    const press = () => {
      this.button.focus(); // this button goes away with the problem
      this.run(found.mend());
    };
    return node("p", {}, node("button", { type: "button", class: "card-mend", onclick: press }, found.label));
  }

  isEdited() {
    return this.editor !== null && this.editor.value !== this.editor.defaultValue;
  }

  showUnreached(kind) {
    this.enter(kind === "canceled" ? "idle" : "offline");
    this.announce(this.answer.showUnreached(kind, this.step));
  }

  showParameter(name, value) {
    for (const span of this.querySelectorAll(`[data-parameter="${name}"]`)) {
      span.textContent = encodeURIComponent(value.trim());
    }
  }

  /** Puts a body into the editor. */
  write(body) {
    if (!this.editor) return;
    this.editor.value = JSON.stringify(body, null, 2);
    this.edited();
  }

  edited() {
    this.markFault(null);
    const isJson = this.step.raw === null;
    if (isJson && jsonFault(this.editor.value)) return;
    const value = isJson ? JSON.parse(this.editor.value) : this.editor.value;
    for (const span of this.querySelectorAll("[data-body]")) {
      const { language } = span.closest("[data-language]").dataset;
      // httpx declares what it writes as JSON, so another media type goes out as text.
      const asText = !isJson || (language === "python" && this.step.mediaType !== "application/json");
      span.textContent = asText ? text(language, this.editor.value) : literal(language, value);
    }
    if (this.outcome) this.outcome.value = [...this.outcome.options].some((o) => o.value === value?.phone) ? value.phone : "";
  }

  /** The scenario decides the number; the body keeps what else it says. */
  chooseOutcome() {
    const body = jsonFault(this.editor.value) ? this.step.body : JSON.parse(this.editor.value);
    this.write({ ...body, phone: this.outcome.value || this.step.body.phone });
  }

  showLanguage(language) {
    const tab = language && this.find(`.card-tab[value="${language}"]`);
    if (tab) tab.checked = true;
  }

  /** The text of the request names the sandbox or the live service; the button always calls the sandbox. */
  showBase() {
    const { sandbox, live } = this.find(".card-request").dataset;
    if (!sandbox) return;
    this.find(".card-base select").value = session.base();
    for (const span of this.querySelectorAll("[data-base]")) {
      span.textContent = session.base() === "live" ? live : session.origin();
    }
    this.find(".card-request").dataset.textFor = session.base();
  }

  showKey() {
    const button = this.find("button.card-key");
    if (!button) return;
    button.hidden = false;
    button.lastElementChild.textContent = session.key();
  }

  showCaptured() {
    const note = this.find(".card-chain");
    const values = this.data.chain ? session.capturedFor(this.step.operation) : null;
    const used = [];
    for (const input of this.inputs) {
      const value = values?.parameters[input.name] ?? this.step.parameters[input.name];
      if (values && input.name in values.parameters) used.push(input.name);
      input.value = value;
      this.showParameter(input.name, value);
    }
    if (this.editor && this.step.raw === null && (values || this.chained)) {
      const body = values ? merged(this.step.body, values.body) : this.step.body;
      const changed = JSON.stringify(body) !== JSON.stringify(this.step.body);
      if (changed) used.push(...Object.keys(values.body));
      if (changed || this.chained) this.write(body);
      this.chained = changed;
    }
    if (note) note.hidden = used.length === 0;
    if (used.length === 0) return;
    note.replaceChildren(
      "Using ",
      node("code", {}, used.join(", ")),
      ` from “${values.from}”. `,
      node("button", { type: "button", class: "card-reset", onclick: () => this.reset() }, "Reset"),
    );
  }

  reset() {
    session.forget(this.step.operation);
    (this.inputs[0] ?? this.button).focus();
  }

  markFault(fault) {
    if (!this.editor) return;
    const message = this.find(".card-body-error");
    if (!fault) {
      this.editor.removeAttribute("aria-invalid");
      message.textContent = "";
      return;
    }
    this.find(".card-edit").open = true;
    this.editor.setAttribute("aria-invalid", "true");
    message.textContent = `Not valid JSON at line ${fault.line}, column ${fault.column}: ${fault.reason}. Nothing was sent.`;
    this.announce(message.textContent);
    this.editor.focus();
    this.editor.setSelectionRange(fault.offset, Math.min(fault.offset + 1, this.editor.value.length));
  }

  announce(said) {
    this.find('[role="status"]').textContent = said;
  }
}

function merged(body, values) {
  const result = { ...body };
  for (const [name, value] of Object.entries(values)) {
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    result[name] = nested ? merged(result[name], value) : value;
  }
  return result;
}

customElements.define("try-api", TryApi);
