// The frame of Swagger UI: as high as its content, in the page's colors, with the key of the portal, and
// opened at the operation that the address names, such as #createCall. Problems are folded away, and where
// no response came, the page says why.
// It calls these names of its parent, also when the page was reached by instant navigation.

import { find, findAll, node, required } from "./shared/dom.js";
import { chooseKey } from "./shared/key-dialog.js";
import { noResponseNodes } from "./shared/problems.js";
import { NoResponse, send } from "./shared/sandbox-client.js";
import * as session from "./shared/session.js";

/** @typedef {{ authActions: { authorize(keys: object): void } }} SwaggerUi */

const FRAMES = ".swagger-ui-iframe";
const isDark = () => document.body.getAttribute("data-md-color-scheme") === "slate";
/** @type {WeakSet<Document>} frames that got key and place */
const ready = new WeakSet();

window.__init_is_dark_mode = isDark();
window.update_swagger_ui_iframe_height = update;

/** @param {string} id */
function update(id) {
  const frame = document.getElementById(id);
  const page = frame instanceof HTMLIFrameElement ? frame.contentDocument : null;
  if (!(frame instanceof HTMLIFrameElement) || !page) return;
  window.__init_is_dark_mode = isDark();
  frame.style.height = `${page.body.scrollHeight + 80}px`;
  if (ready.has(page) || !page.querySelector(".opblock")) return;
  ready.add(page);
  authorize(frame);
  openOperation(frame);
  improve(page);
  let improving = 0;
  new MutationObserver(() => {
    cancelAnimationFrame(improving);
    improving = requestAnimationFrame(() => improve(page));
  }).observe(page.body, { childList: true, subtree: true });
}

// Swagger UI is ten times the rest of the page: it is loaded when somebody comes near it, or asks for an
// operation by its address.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting && target instanceof HTMLIFrameElement) load(target);
  },
  { rootMargin: "100px" },
);

/** @param {HTMLIFrameElement} frame */
function load(frame) {
  nearby.unobserve(frame);
  if (frame.dataset.src) frame.src = frame.dataset.src;
  delete frame.dataset.src;
}

function start() {
  showKey();
  const frames = findAll(document, FRAMES, HTMLIFrameElement);
  for (const frame of frames.filter((each) => each.dataset.src)) addressed() ? load(frame) : nearby.observe(frame);
}

function openAddressed() {
  for (const frame of findAll(document, FRAMES, HTMLIFrameElement)) frame.dataset.src ? load(frame) : openOperation(frame);
}

/** The operation that the address names, in small letters. */
const addressed = () => location.hash.slice(1).toLowerCase();

/**
 * Gives Swagger UI the key, which it keeps in memory as we do.
 * @param {HTMLIFrameElement} frame
 */
function authorize(frame) {
  const { ui, JSON: framed } = /** @type {{ ui?: SwaggerUi, JSON: JSON }} */ (/** @type {unknown} */ (frame.contentWindow));
  const schema = { type: "http", scheme: "bearer" };
  const keys = { serviceKey: { name: "serviceKey", schema, value: session.key() } };
  // Swagger UI understands objects of its own window only.
  ui?.authActions.authorize(framed.parse(JSON.stringify(keys)));
}

/** @param {HTMLIFrameElement} frame */
function openOperation(frame) {
  const blocks = [...(frame.contentDocument?.querySelectorAll(".opblock") ?? [])];
  const block = addressed() && blocks.find(({ id }) => id.toLowerCase().endsWith(`-${addressed()}`));
  if (!block) return;
  // An element of the frame is no HTMLElement of this window.
  const control = /** @type {HTMLElement | null} */ (block.querySelector(".opblock-summary-control"));
  if (!block.classList.contains("is-open")) control?.click();
  requestAnimationFrame(() => {
    const top = frame.getBoundingClientRect().top + block.getBoundingClientRect().top + scrollY;
    scrollTo({ top: top - 80 });
  });
}

/** @param {Document} page */
function improve(page) {
  nameParts(page);
  foldProblems(page);
  explainNoResponse(page);
}

/**
 * An operation has up to nine responses with a long example each: those that are problems are shown on request.
 * @param {Document} page
 */
function foldProblems(page) {
  for (const table of page.querySelectorAll(".responses-table[id]:not([data-folds])")) {
    const { length } = table.querySelectorAll('tr.response:is([data-code^="4"], [data-code^="5"])');
    table.setAttribute("data-folds", "yes");
    if (length === 0) continue;
    const button = node("button", { type: "button", class: "btn problems-toggle", "aria-expanded": "false", "aria-controls": table.id });
    const name = () => (button.textContent = `${table.getAttribute("data-folds") === "yes" ? "Show" : "Hide"} ${length} problems`);
    button.onclick = () => {
      const folds = table.getAttribute("data-folds") === "yes" ? "no" : "yes";
      table.setAttribute("data-folds", folds);
      button.setAttribute("aria-expanded", String(folds === "no"));
      name();
    };
    name();
    table.after(button);
  }
}

/**
 * Where the browser got no response, Swagger UI lists what it guesses. Here stands what is known.
 * @param {Document} page
 */
function explainNoResponse(page) {
  for (const old of page.querySelectorAll(".no-response")) if (!old.previousElementSibling?.matches("[data-explained]")) old.remove();
  for (const guess of page.querySelectorAll(".live-responses-table .renderedMarkdown:not([data-explained])")) {
    if (!guess.textContent?.trim().startsWith("Failed to fetch")) continue;
    guess.setAttribute("data-explained", "");
    const method = guess.closest(".opblock")?.querySelector(".opblock-summary-method")?.textContent ?? "GET";
    void whyNoResponse().then((reason) => {
      if (guess.isConnected) guess.after(node("div", { class: "no-response", role: "status" }, ...noResponseNodes(reason, { method })));
    });
  }
}

/** @returns {Promise<NoResponseReason>} */
async function whyNoResponse() {
  try {
    await send({ method: "GET", path: "/sandbox" });
    return "blocked";
  } catch (error) {
    return error instanceof NoResponse ? error.reason : "blocked";
  }
}

/**
 * Swagger UI leaves its lists, tables and headings without what a screen reader needs.
 * @param {Document} page
 */
function nameParts(page) {
  for (const select of page.querySelectorAll("select:not([aria-label])")) {
    select.setAttribute("aria-label", select.classList.contains("examples-select-element") ? "Example" : "Media type");
  }
  for (const heading of page.querySelectorAll(":is(h3, h4, h5):not([aria-level])")) {
    heading.setAttribute("aria-level", String(Number(heading.localName[1]) - 1)); // the page around has the only h1
  }
  for (const table of page.querySelectorAll('table[role="region"]:not([aria-label])')) {
    const operation = table.closest(".opblock")?.id.split("-").at(-1);
    table.setAttribute("aria-label", `Responses of ${operation}`);
  }
  for (const button of page.querySelectorAll(".copy-to-clipboard button:not([aria-label])")) button.setAttribute("aria-label", "Copy");
  for (const place of page.querySelectorAll(".microlight:not([tabindex])")) place.setAttribute("tabindex", "0"); // long ones scroll
}

function showKey() {
  const button = find(document, ".reference-key", HTMLButtonElement);
  if (!button) return;
  button.hidden = false;
  required(button, "code", HTMLElement).textContent = session.key();
  button.onclick = () => chooseKey();
}

/** The frames whose page is there. */
const loaded = () => findAll(document, FRAMES, HTMLIFrameElement).filter((frame) => frame.contentDocument?.body);

session.on("key", () => (showKey(), loaded().forEach(authorize)));
if (window.document$) window.document$.subscribe(start);
else start();
addEventListener("hashchange", openAddressed);
new MutationObserver(() => {
  window.__init_is_dark_mode = isDark();
  for (const frame of loaded()) frame.contentDocument?.documentElement.classList.toggle("dark-mode", isDark());
}).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
for (const frame of loaded()) update(frame.id);
