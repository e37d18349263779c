// The live page: one stream feeds the list, the calls and the coverage; everything else is asked for.

import { CallsView } from "./inspector-calls.js";
import { ClockView } from "./inspector-clock.js";
import { CoverageView } from "./inspector-coverage.js";
import { ExchangeView } from "./inspector-exchange.js";
import { ExchangeList } from "./inspector-list.js";
import { MOST_EXCHANGES, Memory, isEmpty, matches } from "./inspector-memory.js";
import { Follower } from "./inspector-stream.js";
import { Tabs } from "./inspector-tabs.js";
import { addButtons } from "./copy.js";
import { Unreached, freshId, send } from "./exchange.js";
import { node, prose } from "./nodes.js";
import { unreachedNodes } from "./refusals.js";
import * as session from "./session.js";

const SETTLE_MS = 300; // a burst of exchanges asks for clock and coverage once
const TROUBLE_MS = 8_000;
const QUIET_MS = 10_000; // arrivals are announced at most this often

export class Inspector {
  constructor(element, signal) {
    this.element = element;
    this.signal = signal;
    this.data = JSON.parse(element.dataset.inspector);
    this.parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
    this.memory = new Memory();
    this.arrived = []; // not yet shown
    this.paused = false;
    this.filter = {};
    this.build();
    this.listen();
    session.on("key", () => this.start(), signal);
    signal.addEventListener("abort", () => this.key?.abort());
    this.start();
  }

  build() {
    const { parts, signal, data } = this;
    const shared = { announce: (text) => this.announce(text), ask: (request, how) => this.ask(request, how), signal };
    this.list = new ExchangeList(parts.list, { choose: (seq, by) => this.choose(seq, by), signal });
    this.exchange = new ExchangeView(parts.exchange, {
      ...shared,
      phrases: data.phrases,
      showCall: (id) => this.showCall(id),
      back: () => this.close(),
    });
    this.calls = new CallsView(parts.calls, { ...shared, life: data.life, endings: data.endings, showRequests: (id) => this.showRequests(id) });
    this.coverage = new CoverageView(parts.coverage, { ...shared, count: parts["count-coverage"], phrases: data.phrases });
    this.clock = new ClockView(parts, { ...shared, moved: () => this.calls.touchAll() });
    this.tabs = new Tabs(this.element.querySelector("[role=tablist]"), {
      signal,
      chosen: (panel) => {
        if (panel === parts.calls) this.calls.look();
        if (panel === parts.coverage) this.coverage.draw();
      },
    });
  }

  listen() {
    const { parts, signal } = this;
    const on = (name, event, act) => parts[name].addEventListener(event, act, { signal });
    on("filter", "input", () => this.filtered());
    on("filter", "submit", (event) => event.preventDefault());
    on("filter", "reset", () => setTimeout(() => this.filtered()));
    on("pause", "click", () => this.pause(!this.paused));
    on("har", "click", () => this.downloadArchive());
    on("reset", "click", () => parts.dialog.showModal());
    on("dialog", "close", () => parts.dialog.returnValue === "reset" && this.reset());
    on("provoke", "submit", (event) => this.provoke(event));
    on("scenario", "change", () => this.showScenario());
    on("key-form", "submit", (event) => this.changeKey(event));
    on("key", "change", (event) => this.changeKey(event));
    on("exchange", "keydown", (event) => event.key === "Escape" && this.close());
    this.showScenario();
  }

  // The key in use

  /** Begins with the key in use, from nothing. */
  start() {
    this.key?.abort();
    this.key = new AbortController();
    const { parts } = this;
    parts.key.value = session.key();
    parts.key.disabled = false;
    parts["dialog-key"].textContent = session.key();
    this.forget();
    this.follower = new Follower({
      arrived: (exchange) => this.arrive(exchange),
      changed: (state, reason) => this.showState(state, reason),
      signal: this.key.signal,
    });
    this.follower.run();
  }

  changeKey(event) {
    event.preventDefault();
    const { key, "key-error": error } = this.parts;
    const wanted = key.value.trim();
    const valid = session.isKey(wanted);
    key.setAttribute("aria-invalid", String(!valid));
    error.hidden = valid;
    error.textContent = valid ? "" : "A sandbox key is sandbox_ and 4 to 64 letters, digits, _ or -.";
    if (valid && wanted !== session.key()) session.useKey(wanted);
  }

  // What arrives

  arrive(exchange) {
    this.arrived.push(exchange);
    if (this.arrived.length > MOST_EXCHANGES) this.arrived.shift();
    if (this.paused) this.showPause();
    else this.flushing ??= requestAnimationFrame(() => this.flush());
  }

  /** Shows what has arrived since the last time. */
  flush() {
    this.flushing = null;
    const arrived = this.arrived.splice(0).filter((exchange) => !this.memory.get(exchange.seq));
    if (arrived.length === 0) return;
    const isNew = arrived.filter(({ at }) => Date.parse(at) >= this.startedAt).length;
    for (const exchange of arrived) {
      const gone = this.memory.add(exchange);
      if (gone !== null) this.list.remove(gone);
      if (exchange.call_id) this.calls.touch(exchange.call_id);
    }
    this.list.prepend(arrived.filter((exchange) => this.memory.get(exchange.seq) && matches(exchange, this.filter)));
    this.showCounts();
    this.openArrived(arrived, isNew);
    if (isNew) this.announceArrivals(isNew);
    this.settle();
  }

  /** Opens what the reader waits for: the newest of what was there before, the first, their own call. */
  openArrived(arrived, isNew) {
    if (!this.twoColumns()) return;
    const own = arrived.find((exchange) => exchange.request_id === this.placed);
    if (own) this.open(own.seq);
    else if (this.opened === null || (!this.chosen && isNew === 0)) this.open(arrived.at(-1).seq);
  }

  /** Asks again for what exchanges change, once a burst is over. */
  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (this.key.signal.aborted) return;
      this.clock.read();
      this.coverage.read();
    }, SETTLE_MS);
  }

  pause(paused) {
    this.paused = paused;
    this.parts.pause.setAttribute("aria-pressed", String(paused));
    this.showPause();
    if (!paused) this.flush();
  }

  showPause() {
    const waiting = this.arrived.length;
    this.parts.pause.textContent = !this.paused ? "Pause" : waiting ? `Resume (${waiting} new)` : "Resume";
  }

  /** Forgets everything of the key. */
  forget() {
    this.memory.clear();
    this.arrived = [];
    this.opened = null;
    this.chosen = false;
    this.startedAt = Date.now();
    this.parts.exchange.hidden = true;
    this.list.show([]);
    this.showCounts();
    this.settle();
  }

  // The list and the opened exchange

  filtered() {
    this.filter = Object.fromEntries([...new FormData(this.parts.filter)].map(([name, value]) => [name, value.trim()]));
    this.list.show(this.memory.search(this.filter));
    this.showCounts();
    const found = this.list.rows.size;
    this.announce(isEmpty(this.filter) ? `All ${this.memory.size} requests` : `${found} of ${this.memory.size} requests match`);
  }

  choose(seq, by) {
    if (by === "arrow" && !this.twoColumns()) return;
    this.chosen = true;
    this.open(seq);
    if (!this.twoColumns()) this.parts.exchange.focus();
  }

  open(seq) {
    const exchange = this.memory.get(seq);
    if (!exchange) return;
    this.opened = seq;
    this.exchange.show(exchange);
    this.list.mark(seq);
    this.showView();
  }

  /** Goes back from the opened exchange to the list. */
  close() {
    const seq = this.opened;
    if (this.twoColumns()) {
      this.list.focus(seq);
      return;
    }
    this.opened = null;
    this.parts.exchange.hidden = true;
    this.showView();
    this.list.focus(seq);
  }

  showRequests(callId) {
    this.parts.filter.reset();
    this.parts.filter.elements.text.value = callId;
    this.filtered();
    this.tabs.open("inspector-requests");
    this.parts.filter.elements.text.focus();
  }

  showCall(callId) {
    this.tabs.open("inspector-calls");
    this.calls.reveal(callId);
  }

  showCounts() {
    const { parts, memory } = this;
    const ids = memory.callIds();
    const shown = this.list.rows.size;
    parts["count-requests"].textContent = shown === memory.size ? String(memory.size) : `${shown} of ${memory.size}`;
    parts["count-calls"].textContent = String(ids.length);
    parts.clear.disabled = isEmpty(this.filter);
    parts.list.hidden = shown === 0;
    this.calls.show(ids);
    this.showView();
  }

  showView() {
    const { parts, memory } = this;
    const view = memory.size === 0 ? "empty" : this.opened ? "opened" : "list";
    parts.split.dataset.view = view;
    const none = this.list.rows.size === 0;
    parts.empty.hidden = !(none || view === "list");
    const wanted = memory.size === 0 ? this.state : none ? "no match" : "choose";
    const shows = [wanted, this.reason, session.key()].join();
    if (parts.empty.hidden || parts.empty.dataset.shows === shows) return;
    parts.empty.dataset.shows = shows;
    parts.empty.replaceChildren(...this.emptyNodes(wanted));
    addButtons();
  }

  emptyNodes(wanted) {
    if (wanted === "choose") return [node("p", { class: "inspector-hint" }, "Choose a request to see it whole. The arrow keys go through the list.")];
    if (wanted === "no match") return [node("p", { class: "inspector-hint" }, "No request matches. Clear the filter to see them all.")];
    if (wanted === "stopped") return [...unreachedNodes(this.reason), this.retryButton()];
    if (wanted === "connecting") return [];
    return [
      node("p", { class: "inspector-empty-title" }, "Waiting for the first request"),
      node("p", {}, ...prose(`Send one with the key \`${session.key()}\`, from your app, your tests or a terminal, and it appears here at once:`)),
      node("pre", {}, node("code", { tabindex: "0" }, `curl ${session.origin()}/v1/agents \\\n  -H "Authorization: Bearer ${session.key()}"`)),
      node("p", {}, "Or place a call with “Place call” above: you see the request, and a few seconds later how the simulated provider reports its end."),
    ];
  }

  retryButton() {
    return node("button", { type: "button", class: "inspector-button", onclick: () => this.follower.retry() }, "Try now");
  }

  twoColumns() {
    return getComputedStyle(this.parts.split).getPropertyValue("--columns").trim() === "2";
  }

  // What the controls do

  showScenario() {
    const { scenario, "scenario-line": line } = this.parts;
    line.textContent = `${scenario.value}: ${scenario.selectedOptions[0].dataset.line}`;
  }

  async provoke(event) {
    event.preventDefault();
    const { create } = this.data;
    const body = { ...create.body, phone: this.parts.scenario.value };
    const answer = await this.exchangeWith({
      method: create.method,
      path: create.path,
      body: JSON.stringify(body),
      mediaType: create.mediaType,
      headers: { "Idempotency-Key": freshId() },
    });
    if (!answer) return;
    this.placed = answer.requestId;
    const phrase = `${answer.status} ${this.data.phrases[answer.status] ?? ""}`;
    this.announce(answer.status < 300 ? `${phrase}: the call is placed` : `${phrase}: ${answer.json?.title}`);
  }

  async downloadArchive() {
    const archive = await this.ask({ method: "GET", path: "/sandbox/journal/har" });
    if (!archive) return;
    const url = URL.createObjectURL(new Blob([JSON.stringify(archive, null, 2)], { type: "application/json" }));
    const link = node("a", { href: url, download: `${session.key()}.har` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    this.announce(`${archive.log.entries.length} requests downloaded`);
  }

  async reset() {
    const answer = await this.exchangeWith({ method: "DELETE", path: "/sandbox/state" });
    if (!answer) return;
    this.forget();
    this.announce("The namespace is empty");
  }

  /** The answer's JSON, or null when there is none to use; the reader is told why unless quietly. */
  async ask(request, { quietly = false } = {}) {
    const answer = await this.exchangeWith(request, { quietly });
    if (!answer) return null;
    if (answer.status < 300) return answer.json;
    if (!quietly) this.announce(`${answer.json?.title ?? answer.status}. ${answer.json?.detail ?? ""}`, { trouble: true });
    return null;
  }

  async exchangeWith(request, { quietly = false } = {}) {
    const { signal } = this.key;
    try {
      const answer = await send({ ...request, signal });
      return signal.aborted ? null : answer;
    } catch (error) {
      if (!(error instanceof Unreached)) throw error;
      if (!quietly && error.kind !== "canceled") this.announce(unreachedNodes(error.kind)[0].textContent, { trouble: true });
      return null;
    }
  }

  // What the page says

  showState(state, reason) {
    const changed = state !== this.state || reason !== this.reason;
    this.state = state;
    this.reason = reason;
    if (!changed) return;
    this.element.dataset.state = state;
    this.parts.state.replaceChildren(...stateNodes(state, reason));
    this.showView();
    if (state === "live") this.settle();
  }

  announceArrivals(count) {
    this.unsaid = (this.unsaid ?? 0) + count;
    if (this.saying) return;
    this.saying = setTimeout(() => {
      this.saying = null;
      if (this.unsaid && !this.signal.aborted) this.announce(this.unsaid === 1 ? "1 new request" : `${this.unsaid} new requests`);
      this.unsaid = 0;
    }, QUIET_MS);
  }

  /** Says it to a screen reader, and trouble to everybody. */
  announce(text, { trouble = false } = {}) {
    const { said } = this.parts;
    said.textContent = text;
    said.className = trouble ? "inspector-trouble" : "visually-hidden";
    clearTimeout(this.troubled);
    if (trouble) this.troubled = setTimeout(() => (said.className = "visually-hidden"), TROUBLE_MS);
  }
}

const STATES = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", refused: "The sandbox refused this key" };

function stateNodes(state, reason) {
  if (state !== "stopped") return [STATES[state]];
  const title = unreachedNodes(reason)[0].textContent;
  return reason === "not-running" ? [`${title}: `, node("code", {}, "make serve")] : [title];
}
