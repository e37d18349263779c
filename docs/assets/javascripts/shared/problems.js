// What a page says when the response is a problem, or when no response came.

import { copyButton } from "./copy.js";
import { node, present, prose } from "./dom.js";
import { origin, site, writtenOrigin } from "./session.js";

/**
 * The nodes that explain an RFC 9457 problem, with the way to its entry on the Errors page.
 * @param {Partial<Problem>} problem what came, which may be less than the contract says
 */
export function problemNodes(problem) {
  return present([
    node("p", { class: "problem-title" }, String(problem.title ?? "Rejected")),
    node("p", {}, ...prose(String(problem.detail ?? ""))),
    Array.isArray(problem.errors) && problem.errors.length
      ? node(
          "ul",
          { class: "problem-errors" },
          ...problem.errors.map((error) =>
            node("li", {}, node("code", {}, String(error.pointer || "the body")), " ", ...prose(String(error.detail))),
          ),
        )
      : null,
    entryLink(problem),
  ]);
}

/** @param {Partial<Problem>} problem */
function entryLink(problem) {
  const code = String(problem.code ?? "");
  if (!/^[a-z][a-z_]*$/.test(code)) return null;
  const entry = new URL(`errors/#${code}`, site).href;
  return node("p", {}, node("a", { href: entry }, "What ", node("code", {}, code), " means and how to fix it"));
}

/** @type {Partial<Record<NoResponseReason, [title: string, line: string]>>} */
const REASONS = {
  canceled: ["Canceled", "You stopped waiting before the response came."],
  timeout: ["No response in 15 seconds", "The sandbox took the request but did not respond. See what its terminal says, then try again."],
  "browser-offline": ["Your browser is offline", "It says that it has no network at all. Connect it, then try again."],
  blocked: [
    "The browser blocked the request",
    "The sandbox is there, but something in this browser keeps the response from this page: an extension, a policy, or a page that is served from another address. Allow it, or open the pages where the sandbox serves them, then try again.",
  ],
};

/**
 * The nodes that explain why no response came to a request of that method.
 * @param {NoResponseReason} reason
 * @param {{ method: string }} [request]
 */
export function noResponseNodes(reason, { method } = { method: "GET" }) {
  if (reason === "blocked" && location.origin !== origin()) {
    return [
      node("p", { class: "problem-title" }, "The browser blocked the request"),
      node("p", {}, `The sandbox at ${origin()} is there, but does not let pages of ${location.origin} call it. Start it with this, then try again:`),
      command(startCommand()),
    ];
  }
  const known = REASONS[reason];
  if (known) {
    const [title, line] = known;
    const mayBeDone = ["canceled", "timeout"].includes(reason) && method !== "GET" ? " The sandbox may have done what it asks for." : "";
    return [node("p", { class: "problem-title" }, title), node("p", {}, line + mayBeDone)];
  }
  const title = reason === "not-a-sandbox" ? "This address is not a sandbox" : "The sandbox is not running";
  const line =
    reason === "not-a-sandbox"
      ? `${origin()} does not respond as a sandbox, so nothing was sent. Start one in the folder of the project, and open the pages where it says:`
      : `Nothing responds at ${origin()}. Start it in the folder of the project, then try again:`;
  return [
    node("p", { class: "problem-title" }, title),
    node("p", {}, line),
    command(startCommand()),
  ];
}

/** The command that starts a sandbox where this page looks for one, and lets the page call it. */
function startCommand() {
  const { port } = new URL(origin());
  const isUsual = port === "" || port === new URL(writtenOrigin()).port;
  if (location.origin === origin()) return isUsual ? "make serve" : `make serve PORT=${port}`;
  return `voice-sandbox serve ${isUsual ? "" : `--port ${port} `}--cors-origin ${location.origin}`;
}

/** @param {string} text */
function command(text) {
  const code = node("code", {}, text);
  return node("pre", { class: "card-command" }, code, copyButton(code));
}
