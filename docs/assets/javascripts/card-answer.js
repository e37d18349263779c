// The lower half of a card: what was recorded by the build, what is answered now, or why nothing is.

import { verdict } from "./contract.js";
import { jsonNodes } from "./json-view.js";
import { node, prose } from "./nodes.js";
import { problemNodes, unreachedNodes } from "./refusals.js";

/** Shows answers inside a card's `.card-answer`. */
export class CardAnswer {
  constructor(element) {
    this.element = element;
    this.find = (selector) => element.querySelector(selector);
    this.recorded = ["status", "json code", "headers dl"].map((part) => {
      const place = this.find(`.card-${part}`);
      return [place, [...place.childNodes].map((child) => child.cloneNode(true))];
    });
  }

  /** Has a line for each request of a card that sends several. */
  running(steps) {
    this.element.dataset.state = "running";
    const lines = steps.length > 1 ? steps.map(stepLine) : [];
    this.find(".card-steps").hidden = lines.length === 0;
    this.find(".card-steps").replaceChildren(...lines);
  }

  showStep(index, step, answer) {
    const phrase = step.answers[answer.status]?.phrase ?? answer.phrase;
    this.find(".card-steps").children[index]?.lastElementChild.replaceWith(status(answer.status, phrase));
  }

  /** An answer came. Returns what it is called, such as "201 Created". */
  show(step, answer, mend) {
    const refused = answer.status >= 400;
    this.element.dataset.state = refused ? "refused" : "answered";
    const known = step.answers[answer.status];
    const name = `${answer.status} ${known?.phrase ?? answer.phrase}`.trim();
    const tick = node("span", { class: "card-fit" });
    this.find(".card-status").replaceChildren(
      status(answer.status, known?.phrase ?? answer.phrase),
      " ",
      tick,
      " ",
      node("span", { class: "card-figure" }, `${answer.milliseconds} ms`),
      " ",
      node("span", { class: "card-figure card-request-id", title: "X-Request-Id" }, answer.requestId ?? ""),
      " ",
      node("span", { class: "card-meaning" }, ...prose(known?.meaning ?? "")),
    );
    this.showFit(tick, step, answer);
    this.showProblem(refused && answer.json ? [...problemNodes(answer.json), mend] : []);
    this.find(".card-status").after(this.find(".card-problem")); // what was answered, then what that means
    this.find(".card-json").hidden = answer.text === "";
    this.find(".card-json code").replaceChildren(...(answer.json === undefined ? [answer.text] : jsonNodes(answer.json)));
    this.find(".card-headers dl").replaceChildren(
      ...answer.headers.map(([header, value]) => node("div", {}, node("dt", {}, titled(header)), node("dd", {}, value))),
    );
    return name;
  }

  /** No answer came: says why, above the answer that the build recorded. Returns the title. */
  showUnreached(kind, step) {
    this.element.dataset.state = kind === "canceled" ? "canceled" : "offline";
    for (const [place, nodes] of this.recorded) place.replaceChildren(...nodes.map((each) => each.cloneNode(true)));
    this.find(".card-json").hidden = false;
    const nodes = unreachedNodes(kind, step);
    this.showProblem(nodes);
    this.find(".card-status").before(this.find(".card-problem")); // why there is nothing but a recording
    return nodes[0].textContent;
  }

  showProblem(nodes) {
    this.find(".card-problem").hidden = nodes.length === 0;
    this.find(".card-problem").replaceChildren(...nodes.filter(Boolean));
  }

  async showFit(tick, step, answer) {
    const found = await verdict(step.operation, answer);
    if (!found || !tick.isConnected) return;
    tick.dataset.fits = found.fits;
    tick.textContent = found.fits ? "Fits the contract" : `Does not fit the contract: ${found.reason}`;
  }
}

function stepLine({ method, path }, index) {
  return node("p", {}, `${index + 1}. `, node("code", {}, `${method} ${path}`), " → ", node("span", {}, "no answer"));
}

function status(code, phrase) {
  return node("span", { class: `status status-${Math.floor(code / 100)}` }, `${code} ${phrase}`.trim());
}

function titled(header) {
  return header.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
