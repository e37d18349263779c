// What the inspector says where it has no exchange to show, and how its connection is.

import { node, prose } from "../shared/dom.js";
import { noResponseNodes } from "../shared/problems.js";
import { key, origin } from "../shared/session.js";

/** @typedef {"choose" | "no match" | StreamState} EmptyReason */

/**
 * The nodes in the place of the opened exchange.
 * @param {EmptyReason} reason
 * @param {{ noResponse: NoResponseReason | undefined, retry: () => void }} stream
 * @returns {Node[]}
 */
export function emptyNodes(reason, { noResponse, retry }) {
  switch (reason) {
    case "choose":
      return [node("p", { class: "inspector-hint" }, "Choose a request to see it whole. The arrow keys go through the list.")];
    case "no match":
      return [node("p", { class: "inspector-hint" }, "No request matches. Clear the filter to see them all.")];
    case "stopped":
      return [
        ...(noResponse ? noResponseNodes(noResponse) : []),
        node("button", { type: "button", class: "inspector-button", onclick: retry }, "Try now"),
      ];
    case "connecting":
      return [];
    default:
      return [
        node("p", { class: "inspector-empty-title" }, "Waiting for the first request"),
        node("p", {}, ...prose(`Send one with the key \`${key()}\`, from your app, your tests or a terminal, and it appears here at once:`)),
        node("pre", {}, node("code", { tabindex: "0" }, `curl ${origin()}/v1/agents \\\n  -H "Authorization: Bearer ${key()}"`)),
        node("p", {}, "Or place a call with “Place call” above: you see the request, and a few seconds later how the simulated provider reports its end."),
      ];
  }
}

const STATES = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…", rejected: "The sandbox rejected this key" };

/**
 * The state of the connection in words.
 * @param {StreamState} state
 * @param {NoResponseReason} [noResponse]
 * @returns {(Node | string)[]}
 */
export function stateNodes(state, noResponse) {
  if (state !== "stopped") return [STATES[state]];
  const title = noResponse ? (noResponseNodes(noResponse)[0]?.textContent ?? "") : "";
  return noResponse === "not-running" ? [`${title}: `, node("code", {}, "make serve")] : [title];
}
