// The dialog in which a reader chooses the sandbox key that every card, the inspector and Swagger UI use.

import { copy } from "./copy.js";
import { node } from "./dom.js";
import * as session from "./session.js";

/** @type {ReturnType<typeof build> | null} One for the whole visit: instant navigation leaves it where it is. */
let dialog = null;

/** Opens the dialog. The browser returns the focus to where it was. */
export function chooseKey() {
  dialog ??= build();
  document.body.append(dialog.element);
  dialog.show();
  dialog.element.showModal();
}

function build() {
  const input = node("input", { type: "text", id: "key-own", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "key-error" });
  const error = node("p", { class: "key-error", id: "key-error", role: "alert" });
  const store = node("input", { type: "checkbox", id: "key-keep" });
  const command = node("code", {});
  const copied = node("button", { type: "button", class: "key-small", onclick: () => copyCommand() }, "Copy");
  /** @type {HTMLDialogElement} */
  const element = node(
    "dialog",
    { class: "key-dialog md-typeset", "aria-labelledby": "key-title" },
    node(
      "form",
      { method: "dialog", novalidate: true, onsubmit: use },
      node("h2", { id: "key-title" }, "Your sandbox key"),
      node("p", {}, "Each key opens an empty sandbox of its own, without signing up. This browser made one for you. These pages send the key to the sandbox and nowhere else."),
      node("label", { for: "key-own" }, "Key in use"),
      input,
      error,
      node(
        "p",
        { class: "key-choices" },
        node("button", { type: "button", class: "key-small", onclick: () => propose(session.DEMO_KEY) }, "Shared demo key"),
        node("button", { type: "button", class: "key-small", onclick: () => propose(session.newKey()) }, "Fresh private key"),
      ),
      node("p", { class: "key-keep" }, store, node("label", { for: "key-keep" }, "Remember it in this browser. Otherwise a reload brings back the key that the browser remembers.")),
      node("p", { class: "key-terminal" }, "For your terminal:"),
      node("div", { class: "key-command" }, command, copied),
      node(
        "p",
        { class: "key-actions" },
        node("button", { class: "key-use", value: "use" }, "Use this key"),
        node("button", { type: "button", class: "key-small", onclick: () => element.close() }, "Cancel"),
      ),
    ),
  );
  input.addEventListener("input", check);
  element.addEventListener("close", () => (input.value = ""));

  /** @param {Event} event */
  function use(event) {
    const key = input.value.trim();
    if (session.isKey(key)) {
      session.useKey(key, { store: store.checked });
      return;
    }
    event.preventDefault();
    reject();
  }

  /** @param {string} key */
  function propose(key) {
    input.value = key;
    check();
  }

  function check() {
    const fits = session.isKey(input.value.trim());
    error.textContent = "";
    input.removeAttribute("aria-invalid");
    command.textContent = fits ? `export VOICE_API_KEY=${input.value.trim()}` : "export VOICE_API_KEY=…";
    copied.disabled = !fits;
  }

  function reject() {
    error.textContent = "This does not look like a sandbox key, so it is not used and not sent anywhere. A sandbox key is sandbox_ and 4 to 64 letters, digits, _ or -. Never enter a key of the live service here.";
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  async function copyCommand() {
    copied.textContent = (await copy(command.textContent ?? "")) ? "Copied" : "Copy by hand";
    setTimeout(() => (copied.textContent = "Copy"), 1500);
  }

  return {
    element,
    show() {
      store.checked = session.keyIsStored();
      propose(session.key());
    },
  };
}
