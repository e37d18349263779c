// The elements of the page that the inspector fills and listens to: those with `data-part` in inspector.html.

import { required } from "../shared/dom.js";

/** @typedef {ReturnType<typeof partsOf>} Parts */

/**
 * The parts of the page. A page without one of them is an error.
 * @param {HTMLElement} element
 */
export function partsOf(element) {
  /**
   * @template {HTMLElement} Kind
   * @param {string} name
   * @param {{ new (): Kind }} kind
   */
  const part = (name, kind) => required(element, `[data-part="${name}"]`, kind);
  return {
    advance: part("advance", HTMLButtonElement),
    callCount: part("count-calls", HTMLElement),
    calls: part("calls", HTMLElement),
    clear: part("clear", HTMLButtonElement),
    coverage: part("coverage", HTMLElement),
    coverageCount: part("count-coverage", HTMLElement),
    dialog: part("dialog", HTMLDialogElement),
    dialogKey: part("dialog-key", HTMLElement),
    due: part("due", HTMLElement),
    empty: part("empty", HTMLElement),
    exchange: part("exchange", HTMLElement),
    failureCount: part("count-failures", HTMLElement),
    failures: part("failures", HTMLElement),
    filter: part("filter", HTMLFormElement),
    filterText: required(element, '[data-part="filter"] [name="text"]', HTMLInputElement),
    har: part("har", HTMLButtonElement),
    idle: part("idle", HTMLButtonElement),
    key: part("key", HTMLInputElement),
    keyError: part("key-error", HTMLElement),
    keyForm: part("key-form", HTMLFormElement),
    list: part("list", HTMLElement),
    pause: part("pause", HTMLButtonElement),
    requestCount: part("count-requests", HTMLElement),
    reset: part("reset", HTMLButtonElement),
    announcement: part("announcement", HTMLElement),
    scenario: part("scenario", HTMLSelectElement),
    scenarioForm: part("scenario-form", HTMLFormElement),
    scenarioLine: part("scenario-line", HTMLElement),
    split: part("split", HTMLElement),
    state: part("state", HTMLElement),
    tabs: required(element, "[role=tablist]", HTMLElement),
    time: part("time", HTMLElement),
  };
}
