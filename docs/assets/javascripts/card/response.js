// The lower half of a card: the response that the build recorded, the one that came now, or why none came.

import { findAll, node, present, prose, required } from "../shared/dom.js";
import { noResponseNodes, problemNodes } from "../shared/problems.js";
import { jsonNodes, statusBadge } from "../shared/response-view.js";
import { checkResponse } from "./response-check.js";

const SHOWN_RUNS = 5;

/** Shows responses inside a card's `.card-response`. */
export class CardResponse {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.lines = required(element, ".card-requests", HTMLElement);
    this.problem = required(element, ".card-problem", HTMLElement);
    this.status = required(element, ".card-status", HTMLElement);
    this.json = required(element, ".card-json", HTMLElement);
    this.code = required(this.json, "code", HTMLElement);
    this.headers = required(element, ".card-headers", HTMLElement);
    this.runs = required(element, ".card-runs", HTMLElement);
    this.bar = required(element, ".card-views", HTMLElement);
    this.views = findAll(element, ".card-views input", HTMLInputElement);
    this.recorded = [this.status, this.code, this.headers].map((part) => ({
      part,
      nodes: [...part.childNodes].map((child) => child.cloneNode(true)),
    }));
  }

  /**
   * Has a line for each request of a card that sends several.
   * @param {CardRequest[]} requests
   */
  running(requests) {
    this.element.dataset.state = "running";
    const lines = requests.length > 1 ? requests.map(requestLine) : [];
    this.lines.hidden = lines.length === 0;
    this.runs.hidden = false; // it has its place before the response, so that nothing moves then
    this.lines.replaceChildren(...lines);
  }

  /**
   * Shows the status in the line of a request.
   * @param {number} index
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  showLine(index, request, response) {
    const phrase = phraseOf(request, response);
    this.lines.children[index]?.lastElementChild?.replaceWith(statusBadge(response.status, phrase));
  }

  /**
   * A response came. Returns its name, such as "201 Created".
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   * @param {Node | null} fix
   */
  show(request, response, fix) {
    this.showOf(request, response, fix);
    this.addRun(request, response);
    return `${response.status} ${phraseOf(request, response)}`.trim();
  }

  /**
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   * @param {Node | null} fix
   */
  showOf(request, response, fix) {
    const isRejected = response.status >= 400;
    this.element.dataset.state = isRejected ? "rejected" : "succeeded";
    const documented = request.responses[response.status];
    const phrase = phraseOf(request, response);
    const verdict = node("span", { class: "card-fit" });
    this.status.replaceChildren(
      statusBadge(response.status, phrase),
      " ",
      verdict,
      " ",
      node("span", { class: "card-figure" }, `${response.milliseconds} ms`),
      " ",
      node("span", { class: "card-figure card-request-id", title: "X-Request-Id" }, response.requestId ?? ""),
      " ",
      node("span", { class: "card-meaning" }, ...prose(documented?.meaning ?? "")),
    );
    this.showVerdict(verdict, request, response);
    const problem = /** @type {Problem | null | undefined} */ (response.json);
    this.showProblem(isRejected && problem ? [...problemNodes(problem), ...present([fix])] : []);
    this.status.after(this.problem); // the response first, then what it means
    this.json.hidden = response.text === "";
    this.code.replaceChildren(...(response.json === undefined ? [response.text] : jsonNodes(response.json)));
    this.headers.replaceChildren(
      ...response.headers.map(([header, value]) => node("div", {}, node("dt", {}, titled(header)), node("dd", {}, value))),
    );
  }

  /**
   * Opens a part. A call gets all the room there is; a response is read from its status on.
   * @param {"response" | "call"} name
   */
  choose(name) {
    for (const view of this.views) if (view.value === name) view.checked = true;
    this.element.scrollTop = name === "call" ? this.bar.offsetTop - this.element.offsetTop : 0;
  }

  /**
   * Keeps the response among the last runs; a press shows it again.
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  addRun(request, response) {
    const press = () => {
      this.showOf(request, response, null);
      this.markRun(run);
    };
    const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const run = node("button", { type: "button", class: "card-run-again", onclick: press }, statusBadge(response.status), ` ${at}`);
    this.runs.prepend(run);
    while (this.runs.children.length > SHOWN_RUNS) this.runs.lastElementChild?.remove();
    this.markRun(run);
  }

  /** @param {HTMLElement} shown */
  markRun(shown) {
    for (const run of this.runs.children) run.setAttribute("aria-pressed", String(run === shown));
  }

  /**
   * No response came: says why, above the response that the build recorded. Returns the title.
   * @param {NoResponseReason} reason
   * @param {CardRequest} request
   */
  showNoResponse(reason, request) {
    this.element.dataset.state = reason === "canceled" ? "canceled" : "offline";
    for (const { part, nodes } of this.recorded) part.replaceChildren(...nodes.map((each) => each.cloneNode(true)));
    this.json.hidden = false;
    const nodes = noResponseNodes(reason, request);
    this.showProblem(nodes);
    this.status.before(this.problem); // why there is nothing but a recording
    return nodes[0]?.textContent ?? "";
  }

  /** @param {Node[]} nodes */
  showProblem(nodes) {
    this.problem.hidden = nodes.length === 0;
    this.problem.replaceChildren(...nodes);
  }

  /**
   * @param {HTMLElement} place
   * @param {CardRequest} request
   * @param {SandboxResponse} response
   */
  async showVerdict(place, request, response) {
    const verdict = await checkResponse(request.operation, response);
    if (!verdict || !place.isConnected) return;
    place.dataset.fits = String(verdict.fits);
    place.textContent = verdict.fits ? "Fits the contract" : `Does not fit the contract: ${verdict.reason}`;
  }
}

/**
 * @param {CardRequest} request
 * @param {SandboxResponse} response
 */
function phraseOf(request, response) {
  return request.responses[response.status]?.phrase ?? response.phrase;
}

/**
 * @param {CardRequest} request
 * @param {number} index
 */
function requestLine({ method, path }, index) {
  return node("p", {}, `${index + 1}. `, node("code", {}, `${method} ${path}`), " → ", node("span", {}, "no response"));
}

/** @param {string} header */
function titled(header) {
  return header.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
