// The search is a palette of commands too: Ctrl or ⌘ and K opens it, and what a reader can do stands above the pages found.

import { copy } from "./shared/copy.js";
import { find, node } from "./shared/dom.js";
import { chooseKey } from "./shared/key-dialog.js";
import * as session from "./shared/session.js";

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {string} [words] other words that people type
 * @property {string} [href] the page that it leads to
 * @property {(link: HTMLElement) => unknown} [run] what it does on this page
 * @property {boolean} [stays] the search stays open, and says what was done
 */

const SHOWN = 6;
const BEST = "1e9"; // Material's Enter opens the result with the highest score

/** @type {Action[]} */
const ACTIONS = [
  { label: "Copy the base URL", words: "clipboard address origin host", run: (link) => copyBaseUrl(link), stays: true },
  { label: "Choose a sandbox key", words: "api key token change", run: () => chooseKey() },
  { label: "Use a new sandbox key", words: "api fresh private token", run: (link) => useNewKey(link), stays: true },
  { label: "Open the inspector", words: "journal requests live log", href: "inspector/" },
  ...[
    ["curl", "bash", "bash shell"],
    ["Python", "python", "httpx"],
    ["JavaScript", "javascript", "node js fetch"],
    ["PHP", "php", "laravel symfony"],
    ["Go", "go", "golang"],
    ["Java", "java", "jvm kotlin"],
    ["C#", "csharp", "csharp dotnet .net"],
  ].map(([name, value, words]) => ({
    label: `Show requests in ${name}`,
    words: `language switch ${words}`,
    run: () => session.chooseLanguage(value),
  })),
];

/** @type {Promise<Action[]> | null} */
let outcomes = null;

/** The card of the Quickstart with each outcome of the catalogue. */
function placeCalls() {
  outcomes ??= fetch(new URL("assets/outcomes.json", session.site))
    .then((response) => response.json())
    .then((found) => found.map(actionOf))
    .catch(() => {
      outcomes = null; // the next search asks again
      return [];
    });
  return outcomes;
}

/**
 * @param {{ name: string, number: string, line: string }} outcome
 * @returns {Action}
 */
function actionOf({ name, number, line }) {
  const said = name.replaceAll("_", " ");
  return { label: `Place a call: ${said}`, words: `${name} ${number} ${line}`, href: `quickstart/?outcome=${name}#try-createcall` };
}

/**
 * Those of which each word that was typed begins a word.
 * @param {Action[]} actions
 * @param {string} query
 */
export function matching(actions, query) {
  const typed = wordsOf(query);
  const fits = /** @param {string} text */ (text) => typed.every((word) => wordsOf(text).some((each) => each.startsWith(word)));
  const [first, second] = [actions.filter(({ label }) => fits(label)), actions.filter(({ label, words = "" }) => !fits(label) && fits(`${label} ${words}`))];
  return [...first, ...second];
}

/** @param {string} text */
function wordsOf(text) {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** @param {HTMLElement} link */
async function copyBaseUrl(link) {
  const url = `${session.origin()}/v1`;
  say(link, (await copy(url)) ? `Copied: ${url}` : url);
}

/** @param {HTMLElement} link */
function useNewKey(link) {
  session.useKey(session.newKey(), { store: true });
  say(link, `Key in use: ${session.key()}`);
}

/**
 * @param {HTMLElement} link
 * @param {string} text
 */
function say(link, text) {
  link.querySelector("[role='status']")?.replaceChildren(text);
}

/** @param {HTMLInputElement} input */
async function show(input) {
  const list = placeOf(input);
  if (!list) return;
  const query = input.value;
  const all = query.trim() ? [...ACTIONS, ...(await placeCalls())] : ACTIONS;
  if (input.value !== query) return; // more was typed meanwhile
  const found = matching(all, query).slice(0, SHOWN);
  list.hidden = found.length === 0;
  list.replaceChildren(...found.map((action) => item(action, isNamed(action, query))));
}

/**
 * Whether an action is meant, and not what pages say of it: its name was typed from the beginning.
 * @param {Action} action
 * @param {string} query
 */
function isNamed({ label }, query) {
  const [typed, first] = [wordsOf(query)[0], wordsOf(label)[0]];
  return typed !== undefined && first !== undefined && first.startsWith(typed) && matching([{ label }], query).length > 0;
}

/**
 * @param {Action} action
 * @param {boolean} isBest Enter chooses it
 */
function item(action, isBest) {
  const href = action.href ? new URL(action.href, session.site).href : "#";
  /** @type {HTMLAnchorElement} */
  const link = node(
    "a",
    { class: "palette-action", href, role: action.run ? "button" : null, onclick: (event) => action.run && run(event, action, link) },
    node("span", { "data-md-score": isBest ? BEST : "-1" }, action.label),
    node("span", { class: "palette-said", role: "status" }),
  );
  return node("li", {}, link);
}

/**
 * @param {Event} event
 * @param {Action} action
 * @param {HTMLElement} link
 */
function run(event, action, link) {
  event.preventDefault();
  event.stopPropagation();
  action.run?.(link);
  if (!action.stays) close();
}

/** @param {HTMLInputElement} input */
function placeOf(input) {
  const result = input.closest(".md-search")?.querySelector(".md-search-result");
  /** @type {HTMLElement | null | undefined} */
  const list = result?.querySelector(".palette-actions");
  if (list || !result) return list;
  const made = node("ul", { class: "palette-actions", "aria-label": "Actions" });
  result.firstElementChild?.before(made);
  return made;
}

/**
 * The search that is always on the page says how it is opened.
 * @param {HTMLInputElement | null} input
 */
function showKeys(input) {
  if (input) input.placeholder = `Search (${/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl"} K)`;
}

/** Material opens the search too, but not where it was closed less than a moment ago. */
function open() {
  const box = find(document, "#__search", HTMLInputElement);
  if (box && !box.checked) box.click();
}

function close() {
  const box = find(document, "#__search", HTMLInputElement);
  if (box?.checked) box.click();
  searchInput()?.blur();
}

function searchInput() {
  return find(document, ".md-search__input", HTMLInputElement);
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  searchInput()?.focus();
  open(); // it may have the focus already, and be closed
});
showKeys(searchInput());
for (const type of ["focusin", "input"]) {
  document.addEventListener(type, ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target !== searchInput()) return;
    open();
    show(target);
  });
}
