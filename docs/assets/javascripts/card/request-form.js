// The upper half of a card: the text of the request in each language, and what a reader may change in it.

import { find, findAll, node, required } from "../shared/dom.js";
import * as session from "../shared/session.js";
import { syntaxError } from "./json-syntax.js";
import { literal, textLiteral } from "./literals.js";

export class RequestForm {
  /**
   * @param {HTMLElement} card
   * @param {{ data: CardData, request: CardRequest, signal: AbortSignal, announce: Announce }} options
   */
  constructor(card, { data, request, signal, announce }) {
    this.card = card;
    this.data = data;
    this.request = request;
    this.announce = announce;
    this.editor = find(card, "textarea", HTMLTextAreaElement);
    this.outcome = find(card, ".card-outcome select", HTMLSelectElement);
    this.base = find(card, ".card-base select", HTMLSelectElement);
    this.inputs = findAll(card, ".card-parameter input", HTMLInputElement);
    this.tabs = findAll(card, ".card-bar .card-tab", HTMLInputElement);
    this.text = required(card, ".card-request", HTMLElement);
    this.bodyIsCaptured = false; // the editor holds a body with values of another card
    this.listen(signal);
    this.showLanguage(session.language());
    this.showBase();
    this.showCaptured();
    this.showAddress();
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.editor?.addEventListener("input", () => this.edited(), { signal });
    this.outcome?.addEventListener("change", () => this.chooseOutcome(), { signal });
    this.base?.addEventListener("change", () => session.chooseBase(this.base?.value ?? ""), { signal });
    for (const input of this.inputs) {
      input.addEventListener("input", () => this.showParameter(input.name, input.value), { signal });
    }
    for (const tab of this.tabs) tab.addEventListener("change", () => this.chooseLanguage(tab.value), { signal });
    session.on("language", (language) => this.showLanguage(language), signal);
    session.on("base", () => this.showBase(), signal);
    session.on("key", () => this.showCaptured(), signal);
    session.on("captured", (operation) => operation === this.request.operation && this.showCaptured(), signal);
  }

  /**
   * Whether this press of the Enter key sends the request: in the editor it is a line break unless with Ctrl or ⌘.
   * @param {KeyboardEvent} event
   */
  sends({ target, ctrlKey, metaKey }) {
    if (target === this.editor && this.editor) return ctrlKey || metaKey;
    return this.inputs.some((input) => input === target);
  }

  parameters() {
    return Object.fromEntries(this.inputs.map((input) => [input.name, input.value.trim()]));
  }

  body() {
    if (this.editor) return this.editor.value;
    return this.request.body === null ? null : JSON.stringify(this.request.body);
  }

  isEdited() {
    return this.editor !== null && this.editor.value !== this.editor.defaultValue;
  }

  /** True when the body can be sent; else the editor shows why it is not JSON. */
  check() {
    const error = this.editor && this.isJson() ? syntaxError(this.editor.value) : null;
    this.markError(error);
    return error === null;
  }

  /**
   * Puts values into the path.
   * @param {JsonObject} values
   */
  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.inputs.find((each) => each.name === name);
      if (input) input.value = String(value);
      this.showParameter(name, String(value));
    }
  }

  /**
   * Puts a body into the editor.
   * @param {Json} body
   */
  write(body) {
    if (!this.editor) return;
    this.editor.value = JSON.stringify(body, null, 2);
    this.edited();
  }

  isJson() {
    return this.request.raw === null;
  }

  edited() {
    this.markError(null);
    const text = this.editor?.value ?? "";
    if (this.isJson() && syntaxError(text)) return;
    const value = this.isJson() ? JSON.parse(text) : text;
    for (const span of findAll(this.card, "[data-body]", HTMLElement)) {
      const language = languageOf(span);
      // httpx2 declares what it writes as JSON, so another media type goes out as text.
      const asText = !this.isJson() || (language === "python" && this.request.mediaType !== "application/json");
      span.textContent = asText ? textLiteral(language, text) : literal(language, value);
    }
    if (this.outcome) this.outcome.value = [...this.outcome.options].some((o) => o.value === value?.phone) ? value.phone : "";
  }

  /** The scenario decides the number; the body keeps what else it says. */
  chooseOutcome() {
    const text = this.editor?.value ?? "";
    const body = syntaxError(text) ? this.request.body : JSON.parse(text);
    this.write({ ...body, phone: this.outcome?.value || (this.request.body?.phone ?? "") });
    this.keepAddress({ outcome: this.outcome?.selectedOptions[0]?.dataset.name });
  }

  /** @param {string} value */
  chooseLanguage(value) {
    session.chooseLanguage(value);
    this.keepAddress({ lang: session.languageName(value) });
  }

  /** Chooses the outcome that the address names for this card, or for the first card with outcomes where it names none. */
  showAddress() {
    const outcome = new URLSearchParams(location.search).get("outcome");
    const named = [...(this.outcome?.options ?? [])].find((option) => outcome !== null && option.dataset.name === outcome);
    const card = document.querySelector(`try-api[id="${CSS.escape(location.hash.slice(1))}"]`) ?? document.querySelector("try-api:has(.card-outcome)");
    if (!named || !this.outcome || card !== this.card) return;
    this.outcome.value = named.value;
    this.chooseOutcome();
  }

  /**
   * Puts what was chosen into the address of the page, so that it can be shared. What is undefined leaves it.
   * @param {Record<string, string | undefined>} chosen
   */
  keepAddress(chosen) {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(chosen)) {
      if (value) url.searchParams.set(name, value);
      else url.searchParams.delete(name);
    }
    url.hash = this.card.id;
    history.replaceState(history.state, "", url);
  }

  /** @param {string | null} language */
  showLanguage(language) {
    const tab = this.tabs.find(({ value }) => value === language);
    if (tab) tab.checked = true;
  }

  /** The text of the request names the sandbox or the live service; the button always calls the sandbox. */
  showBase() {
    const { sandbox, live } = this.text.dataset;
    if (!sandbox || !live || !this.base) return;
    this.base.value = session.base();
    for (const span of this.card.querySelectorAll("[data-base]")) {
      span.textContent = session.base() === "live" ? live : session.origin();
    }
    this.text.dataset.textFor = session.base();
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  showParameter(name, value) {
    for (const span of this.card.querySelectorAll(`[data-parameter="${name}"]`)) {
      span.textContent = encodeURIComponent(value.trim());
    }
  }

  /** Shows the values that another card passed on, or the contract's own. */
  showCaptured() {
    const values = this.data.chain && this.request.operation ? session.capturedFor(this.request.operation) : null;
    const used = [...this.showCapturedParameters(values), ...this.showCapturedBody(values)];
    const note = find(this.card, ".card-chain", HTMLElement);
    if (note) note.hidden = used.length === 0;
    if (used.length === 0 || !values) return;
    note?.replaceChildren(
      "Using ",
      node("code", {}, used.join(", ")),
      ` from “${values.from}”. `,
      node("button", { type: "button", class: "card-reset", onclick: () => this.reset() }, "Reset"),
    );
  }

  /**
   * Names of the parameters that were passed on.
   * @param {CapturedValues | null} values
   */
  showCapturedParameters(values) {
    for (const input of this.inputs) {
      input.value = String(values?.parameters[input.name] ?? this.request.parameters[input.name]);
      this.showParameter(input.name, input.value);
    }
    return this.inputs.map(({ name }) => name).filter((name) => values && name in values.parameters);
  }

  /**
   * Names of the body's fields that were passed on.
   * @param {CapturedValues | null} values
   */
  showCapturedBody(values) {
    if (!this.editor || !this.isJson() || !(values || this.bodyIsCaptured)) return [];
    const body = values ? merged(this.request.body, values.body) : this.request.body;
    const isChanged = JSON.stringify(body) !== JSON.stringify(this.request.body);
    if (isChanged || this.bodyIsCaptured) this.write(body);
    this.bodyIsCaptured = isChanged;
    return isChanged && values ? Object.keys(values.body) : [];
  }

  reset() {
    if (this.request.operation) session.forget(this.request.operation);
    (this.inputs[0] ?? required(this.card, ".card-run", HTMLButtonElement)).focus();
  }

  /** @param {import("./json-syntax.js").JsonSyntaxError | null} error */
  markError(error) {
    if (!this.editor) return;
    const message = required(this.card, ".card-body-error", HTMLElement);
    if (!error) {
      this.editor.removeAttribute("aria-invalid");
      message.textContent = "";
      return;
    }
    required(this.card, ".card-edit", HTMLDetailsElement).open = true;
    this.editor.setAttribute("aria-invalid", "true");
    message.textContent = `Not valid JSON at line ${error.line}, column ${error.column}: ${error.reason}. Nothing was sent.`;
    this.announce(message.textContent);
    this.editor.focus();
    this.editor.setSelectionRange(error.offset, Math.min(error.offset + 1, this.editor.value.length));
  }
}

/** @param {HTMLElement} span */
function languageOf(span) {
  /** @type {HTMLElement | null} */
  const panel = span.closest("[data-language]");
  return /** @type {import("./literals.js").Language} */ (panel?.dataset.language);
}

/**
 * @param {Json | undefined} body
 * @param {JsonObject} values
 * @returns {JsonObject}
 */
function merged(body, values) {
  const result = isObject(body) ? { ...body } : {};
  for (const [name, value] of Object.entries(values)) {
    result[name] = isObject(value) ? merged(result[name], value) : value;
  }
  return result;
}

/**
 * @param {Json | undefined} value
 * @returns {value is JsonObject}
 */
function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
