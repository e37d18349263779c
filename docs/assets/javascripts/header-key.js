// In the header of every page: the key that all cards send, and whether the sandbox responds.

import { find, required } from "./shared/dom.js";
import { chooseKey } from "./shared/key-dialog.js";
import * as session from "./shared/session.js";

const STATES = { unknown: "No request was sent yet.", up: "The sandbox responds.", down: "The sandbox does not respond." };

const pill = find(document, ".header-key", HTMLButtonElement);
if (pill) start(pill);

/** @param {HTMLButtonElement} button */
function start(button) {
  button.addEventListener("click", () => chooseKey());
  session.on("key", () => show(button));
  session.on("sandbox", () => show(button));
  show(button);
  button.hidden = false;
}

/** @param {HTMLButtonElement} button */
function show(button) {
  const state = session.sandbox();
  required(button, "code", HTMLElement).textContent = session.shortKey();
  required(button, ".visually-hidden", HTMLElement).textContent = `${STATES[state]} Choose another key.`;
  button.dataset.sandbox = state;
  button.title = `${session.key()}. ${STATES[state]}`;
}
