// The page of the API base: whether the sandbox is up, and which version it is.

import { find, node, required } from "./shared/dom.js";
import { noResponseNodes } from "./shared/problems.js";
import { NoResponse, send } from "./shared/sandbox-client.js";

const OK = 200;

function show() {
  const place = find(document, ".api-base", HTMLElement);
  if (place) void fill(place);
}

/** @param {HTMLElement} place */
async function fill(place) {
  const status = required(place, ".api-base-status", HTMLElement);
  try {
    const { json: said } = await send({ method: "GET", path: "/sandbox" });
    const ready = await send({ method: "GET", path: "/readyz" });
    status.replaceChildren(statusNode(ready));
    if (isIdentity(said)) showVersions(place, said);
  } catch (error) {
    if (!(error instanceof NoResponse)) throw error;
    status.replaceChildren(...noResponseNodes(error.reason));
  }
}

/** @param {SandboxResponse} ready */
function statusNode({ status, json }) {
  const isUp = status === OK;
  const line = isUp ? "It responds and is ready." : why(json);
  return node("p", {}, node("span", { class: `status status-${isUp ? 2 : 5}` }, isUp ? "Up" : "Not ready"), ` ${line}`);
}

/** @param {any} problem */
function why(problem) {
  return String(problem?.detail ?? "It responds, but is not ready. See what its terminal says.");
}

/**
 * @param {HTMLElement} place
 * @param {Identity} said
 */
function showVersions(place, { version, contract }) {
  required(place, ".api-base-version", HTMLElement).textContent = version;
  const described = place.dataset.contract;
  const differs = contract.version === described ? "" : ` (these pages describe ${described})`;
  required(place, ".api-base-contract", HTMLElement).textContent = contract.version + differs;
}

/** @typedef {{ version: string, contract: { version: string } }} Identity */

/**
 * @param {any} said
 * @returns {said is Identity}
 */
function isIdentity(said) {
  return typeof said?.version === "string" && typeof said?.contract?.version === "string";
}

if (window.document$) window.document$.subscribe(show);
else show();
