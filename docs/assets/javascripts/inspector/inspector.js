// The live page: one stream feeds the list, the calls and the coverage. Everything else is requested.

import { addButtons } from "../shared/copy.js";
import { node } from "../shared/dom.js";
import { noResponseNodes } from "../shared/problems.js";
import { NoResponse, newId, send } from "../shared/sandbox-client.js";
import * as session from "../shared/session.js";
import * as address from "./address.js";
import { CallsView } from "./calls.js";
import { ClockView } from "./clock.js";
import { CoverageView } from "./coverage.js";
import { emptyNodes, stateNodes } from "./empty-state.js";
import { ExchangeView } from "./exchange.js";
import { ExchangeList } from "./exchange-list.js";
import { FailuresView } from "./failures.js";
import { JournalStream } from "./journal-stream.js";
import { partsOf } from "./parts.js";
import { EXCHANGES_LIMIT, RecentExchanges, isEmpty, matches } from "./recent-exchanges.js";
import { Tabs } from "./tabs.js";

const REFRESH_MS = 300; // a burst of exchanges reads clock, coverage and failures once
const ERROR_MS = 8_000;
const QUIET_MS = 10_000; // arrivals are announced at most this often

export class Inspector {
  /**
   * @param {HTMLElement} element
   * @param {AbortSignal} signal
   */
  constructor(element, signal) {
    this.element = element;
    this.signal = signal;
    /** @type {InspectorData} */
    this.data = JSON.parse(element.dataset.inspector ?? "");
    this.parts = partsOf(element);
    this.recent = new RecentExchanges();
    /** @type {Exchange[]} */
    this.arrived = []; // not yet shown
    this.isPaused = false;
    this.drawing = 0; // the animation frame that shows what has arrived
    this.refreshing = 0; // the timer that reads clock, coverage and failures
    /** @type {ExchangeFilter} */
    this.filter = {};
    /** @type {string | null} seq of the opened exchange */
    this.opened = null;
    this.isChosen = false; // the reader chose what is opened
    this.isMissing = false; // the address names a request that the key does not have
    this.startedAt = Date.now();
    /** @type {string | null} the request id of the reader's own call */
    this.placed = null;
    /** @type {StreamState} */
    this.state = "connecting";
    /** @type {NoResponseReason | undefined} */
    this.noResponse = undefined;
    this.unannounced = 0;
    this.announcing = 0; // the timer that announces arrivals
    this.errorShown = 0; // the timer that hides an error
    this.key = new AbortController(); // aborts when another key is used

    const { parts, data } = this;
    /** @type {{ announce: Announce, fetchJson: FetchJson, signal: AbortSignal }} */
    const shared = { announce: (text) => this.announce(text), fetchJson: (request, options) => this.fetchJson(request, options), signal };
    this.list = new ExchangeList(parts.list, { choose: (seq, by) => this.choose(seq, by), signal });
    this.exchange = new ExchangeView(parts.exchange, {
      ...shared,
      phrases: data.phrases,
      showCall: (id) => this.showCall(id),
      back: () => this.close(),
    });
    this.calls = new CallsView(parts.calls, { ...shared, life: data.life, endings: data.endings, showRequests: (id) => this.showRequests(id) });
    this.coverage = new CoverageView(parts.coverage, { ...shared, count: parts.coverageCount, phrases: data.phrases });
    this.failures = new FailuresView(parts.failures, { ...shared, count: parts.failureCount, faults: data.faults, problems: data.problems });
    this.clock = new ClockView(parts, { ...shared, advanced: () => this.calls.invalidateAll() });
    this.tabs = new Tabs(parts.tabs, {
      signal,
      chosen: (panel) => {
        if (panel === parts.calls) this.calls.poll();
        if (panel === parts.coverage) this.coverage.draw();
      },
    });
    this.stream = this.newStream();
    this.listen();
    session.on("key", () => this.useKey(), signal);
    signal.addEventListener("abort", () => this.key.abort());
    this.start();
  }

  listen() {
    const { parts } = this;
    const options = { signal: this.signal };
    parts.filter.addEventListener("input", () => this.filtered(), options);
    parts.filter.addEventListener("submit", (event) => event.preventDefault(), options);
    parts.filter.addEventListener("reset", () => setTimeout(() => this.filtered()), options);
    parts.pause.addEventListener("click", () => this.pause(!this.isPaused), options);
    parts.har.addEventListener("click", () => this.downloadArchive(), options);
    parts.reset.addEventListener("click", () => parts.dialog.showModal(), options);
    parts.dialog.addEventListener("close", () => parts.dialog.returnValue === "reset" && this.reset(), options);
    parts.scenarioForm.addEventListener("submit", (event) => this.placeCall(event), options);
    parts.scenario.addEventListener("change", () => this.showScenario(), options);
    parts.keyForm.addEventListener("submit", (event) => this.changeKey(event), options);
    parts.key.addEventListener("change", (event) => this.changeKey(event), options);
    parts.exchange.addEventListener("keydown", (event) => event.key === "Escape" && this.close(), options);
    address.onStep(this.element, () => this.followAddress(), this.signal);
    this.showScenario();
  }

  // The key in use

  /** Another key has other requests, unless the address was waiting for it. */
  useKey() {
    if (!this.isMissing) address.drop();
    this.start();
  }

  /** Begins with the key in use, from nothing. */
  start() {
    this.key.abort();
    this.key = new AbortController();
    const { parts } = this;
    parts.key.value = session.key();
    parts.key.disabled = false;
    parts.dialogKey.textContent = session.key();
    this.forget();
    this.stream = this.newStream();
    this.stream.run();
    this.openNamed();
  }

  newStream() {
    return new JournalStream({
      arrived: (exchange) => this.arrive(exchange),
      changed: (state, noResponse) => this.showState(state, noResponse),
      signal: this.key.signal,
    });
  }

  /** @param {Event} event */
  changeKey(event) {
    event.preventDefault();
    const { key, keyError } = this.parts;
    const entered = key.value.trim();
    const isValid = session.isKey(entered);
    key.setAttribute("aria-invalid", String(!isValid));
    keyError.hidden = isValid;
    keyError.textContent = isValid ? "" : "A sandbox key is sandbox_ and 4 to 64 letters, digits, _ or -.";
    if (isValid && entered !== session.key()) session.useKey(entered);
  }

  // What arrives

  /** @param {Exchange} exchange */
  arrive(exchange) {
    this.arrived.push(exchange);
    if (this.arrived.length > EXCHANGES_LIMIT) this.arrived.shift();
    if (this.isPaused) this.showPause();
    else this.drawing ||= requestAnimationFrame(() => this.showArrived());
  }

  /** Shows what has arrived since the last time. */
  showArrived() {
    this.drawing = 0;
    const arrived = this.arrived.splice(0).filter((exchange) => !this.recent.get(exchange.seq));
    if (arrived.length === 0) return;
    const newCount = arrived.filter(({ at }) => Date.parse(at) >= this.startedAt).length;
    for (const exchange of arrived) {
      const removed = this.recent.add(exchange);
      if (removed !== null) this.list.remove(removed);
      if (exchange.call_id) this.calls.invalidate(exchange.call_id);
    }
    this.list.prepend(arrived.filter((exchange) => this.recent.get(exchange.seq) && matches(exchange, this.filter)));
    this.showCounts();
    this.openArrived(arrived, newCount);
    if (newCount) this.announceArrivals(newCount);
    this.refresh();
  }

  /**
   * Opens what the reader waits for: the newest of what was there before, the first, their own call.
   * @param {Exchange[]} arrived
   * @param {number} newCount
   */
  openArrived(arrived, newCount) {
    const wanted = address.named();
    if (wanted && arrived.some((exchange) => exchange.request_id === wanted.requestId)) this.list.mark(this.opened);
    if (wanted || !this.twoColumns()) return;
    const own = arrived.find((exchange) => exchange.request_id === this.placed);
    if (own) this.open(own.seq);
    else if (this.opened === null || (!this.isChosen && newCount === 0)) this.open(arrived.at(-1)?.seq ?? "");
  }

  /** Reads again what exchanges change, once a burst has ended. */
  refresh() {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => {
      if (this.key.signal.aborted) return;
      this.clock.read();
      this.coverage.read();
      this.failures.read();
    }, REFRESH_MS);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.parts.pause.setAttribute("aria-pressed", String(isPaused));
    this.showPause();
    if (!isPaused) this.showArrived();
  }

  showPause() {
    const waiting = this.arrived.length;
    this.parts.pause.textContent = !this.isPaused ? "Pause" : waiting ? `Resume (${waiting} new)` : "Resume";
  }

  /** Forgets everything of the key. */
  forget() {
    this.recent.clear();
    this.arrived = [];
    this.opened = null;
    this.isChosen = false;
    this.startedAt = Date.now();
    this.parts.exchange.hidden = true;
    this.list.show([]);
    this.showCounts();
    this.refresh();
  }

  // The list and the opened exchange

  filtered() {
    this.filter = Object.fromEntries([...new FormData(this.parts.filter)].map(([name, value]) => [name, String(value).trim()]));
    this.list.show(this.recent.search(this.filter));
    this.showCounts();
    const found = this.list.rows.size;
    this.announce(isEmpty(this.filter) ? `All ${this.recent.size} requests` : `${found} of ${this.recent.size} requests match`);
  }

  /**
   * @param {string} seq
   * @param {"press" | "arrow"} by
   */
  choose(seq, by) {
    if (by === "arrow" && !this.twoColumns()) return;
    this.isChosen = true;
    this.open(seq);
    const requestId = this.recent.get(seq)?.request_id;
    if (requestId) address.name(requestId, session.key());
    if (!this.twoColumns()) this.parts.exchange.focus();
  }

  // The request that the address names

  /** After a step through the history. */
  followAddress() {
    if (address.named()) this.openNamed();
    else this.hide();
  }

  /** Opens the request that the address names, which the journal may have though the list does not. */
  async openNamed() {
    const wanted = address.named();
    this.isMissing = false;
    if (!wanted) return;
    this.isChosen = true;
    const found = this.recent.find(wanted.requestId) ?? (await this.readNamed(wanted.requestId));
    if (address.named()?.requestId !== wanted.requestId || this.key.signal.aborted) return;
    if (!found) {
      this.showMissing(wanted);
      return;
    }
    this.openExchange(found);
  }

  /**
   * @param {string} requestId
   * @returns {Promise<Exchange | null>} null where the journal of this key does not have it
   */
  async readNamed(requestId) {
    const path = `/sandbox/exchanges/${encodeURIComponent(requestId)}`;
    return /** @type {Exchange | null} */ (await this.fetchJson({ method: "GET", path }, { quietly: true }));
  }

  /** @param {{ requestId: string, key: string | null }} wanted */
  showMissing({ requestId, key }) {
    this.isMissing = true;
    const isOthers = key !== null && key !== address.endOf(session.key());
    const reason = isOthers
      ? `The link is of a key that ends in ${key}. Enter that key above.`
      : "The journal keeps the newest requests for a day, and a reset empties it.";
    this.announce(`This key has no request ${requestId}. ${reason}`, { isError: true });
  }

  /** Shows no request. */
  hide() {
    const seq = this.opened;
    this.opened = null;
    this.isMissing = false;
    this.parts.exchange.hidden = true;
    this.list.mark(null);
    this.showView();
    this.list.focus(seq);
  }

  /** @param {string} seq */
  open(seq) {
    const exchange = this.recent.get(seq);
    if (exchange) this.openExchange(exchange);
  }

  /** @param {Exchange} exchange which the list may have, or not yet, or no more */
  openExchange(exchange) {
    this.opened = exchange.seq;
    this.exchange.show(exchange);
    this.list.mark(exchange.seq);
    this.showView();
  }

  /** Goes back from the opened exchange to the list. */
  close() {
    if (this.twoColumns()) {
      this.list.focus(this.opened);
      return;
    }
    if (!address.leave()) this.hide();
  }

  /** @param {string} callId */
  showRequests(callId) {
    this.parts.filter.reset();
    this.parts.filterText.value = callId;
    this.filtered();
    this.tabs.open("inspector-requests");
    this.parts.filterText.focus();
  }

  /** @param {string} callId */
  showCall(callId) {
    this.tabs.open("inspector-calls");
    this.calls.reveal(callId);
  }

  showCounts() {
    const { parts, recent } = this;
    const ids = recent.callIds();
    const shown = this.list.rows.size;
    parts.requestCount.textContent = shown === recent.size ? String(recent.size) : `${shown} of ${recent.size}`;
    parts.callCount.textContent = String(ids.length);
    parts.clear.disabled = isEmpty(this.filter);
    parts.list.hidden = shown === 0;
    this.calls.show(ids);
    this.showView();
  }

  showView() {
    const { parts, recent } = this;
    const view = recent.size === 0 ? "empty" : this.opened ? "opened" : "list";
    parts.split.dataset.view = view;
    const none = this.list.rows.size === 0;
    parts.empty.hidden = !(none || view === "list");
    const reason = recent.size === 0 ? this.state : none ? "no match" : "choose";
    const shows = [reason, this.noResponse, session.key()].join();
    if (parts.empty.hidden || parts.empty.dataset.shows === shows) return;
    parts.empty.dataset.shows = shows;
    parts.empty.replaceChildren(...emptyNodes(reason, { noResponse: this.noResponse, retry: () => this.stream.retry() }));
    addButtons();
  }

  twoColumns() {
    return getComputedStyle(this.parts.split).getPropertyValue("--columns").trim() === "2";
  }

  // What the controls do

  showScenario() {
    const { scenario, scenarioLine } = this.parts;
    scenarioLine.textContent = `${scenario.value}: ${scenario.selectedOptions[0]?.dataset.line}`;
  }

  /** @param {Event} event */
  async placeCall(event) {
    event.preventDefault();
    const { create } = this.data;
    const body = { ...create.body, phone: this.parts.scenario.value };
    const response = await this.exchangeWith({
      method: create.method,
      path: create.path,
      body: JSON.stringify(body),
      mediaType: create.mediaType,
      headers: { "Idempotency-Key": newId() },
    });
    if (!response) return;
    this.placed = response.requestId;
    const phrase = `${response.status} ${this.data.phrases[response.status] ?? ""}`;
    this.announce(response.status < 300 ? `${phrase}: the call is placed` : `${phrase}: ${problemOf(response).title}`);
  }

  async downloadArchive() {
    const json = await this.fetchJson({ method: "GET", path: "/sandbox/journal/har" });
    if (!json) return;
    const archive = /** @type {Archive} */ (json);
    const url = URL.createObjectURL(new Blob([JSON.stringify(archive, null, 2)], { type: "application/json" }));
    const link = node("a", { href: url, download: `${session.key()}.har` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    this.announce(`${archive.log.entries.length} requests downloaded`);
  }

  async reset() {
    const response = await this.exchangeWith({ method: "DELETE", path: "/sandbox/state" });
    if (!response) return;
    address.drop();
    this.forget();
    this.announce("The namespace is empty");
  }

  /**
   * The JSON of the response, or null when there is none to use; the reader is told why unless quietly.
   * @type {FetchJson}
   */
  async fetchJson(request, { quietly = false } = {}) {
    const response = await this.exchangeWith(request, { quietly });
    if (!response) return null;
    if (response.status < 300) return response.json;
    const { title = response.status, detail = "" } = problemOf(response);
    if (!quietly) this.announce(`${title}. ${detail}`, { isError: true });
    return null;
  }

  /**
   * @param {SandboxRequest} request
   * @param {{ quietly?: boolean }} [options]
   */
  async exchangeWith(request, { quietly = false } = {}) {
    const { signal } = this.key;
    try {
      const response = await send({ ...request, signal });
      return signal.aborted ? null : response;
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      if (!quietly && error.reason !== "canceled") {
        this.announce(noResponseNodes(error.reason)[0]?.textContent ?? "", { isError: true });
      }
      return null;
    }
  }

  // What the page says

  /**
   * @param {StreamState} state
   * @param {NoResponseReason} [noResponse]
   */
  showState(state, noResponse) {
    const isChanged = state !== this.state || noResponse !== this.noResponse;
    this.state = state;
    this.noResponse = noResponse;
    if (!isChanged) return;
    this.element.dataset.state = state;
    this.parts.state.replaceChildren(...stateNodes(state, noResponse));
    this.showView();
    if (state === "live") this.refresh();
  }

  /** @param {number} count */
  announceArrivals(count) {
    this.unannounced += count;
    this.announcing ||= setTimeout(() => {
      this.announcing = 0;
      const text = this.unannounced === 1 ? "1 new request" : `${this.unannounced} new requests`;
      if (this.unannounced && !this.signal.aborted) this.announce(text);
      this.unannounced = 0;
    }, QUIET_MS);
  }

  /**
   * Says a text to screen readers, and an error to everybody.
   * @type {Announce}
   */
  announce(text, { isError = false } = {}) {
    const { announcement } = this.parts;
    announcement.textContent = text;
    announcement.className = isError ? "inspector-error" : "visually-hidden";
    clearTimeout(this.errorShown);
    if (isError) this.errorShown = setTimeout(() => (announcement.className = "visually-hidden"), ERROR_MS);
  }
}

/**
 * What a rejected response says, which may be less than the contract promises.
 * @param {SandboxResponse} response
 */
function problemOf({ json }) {
  return /** @type {Partial<Problem>} */ (json ?? {});
}
