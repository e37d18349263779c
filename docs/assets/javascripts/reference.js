// The frame of Swagger UI on the reference page: as high as its content, in the page's colors, with the
// key of the portal, and opened at the operation that the address names, such as #createCall.
// It calls these names of its parent, also when the page was reached by instant navigation.

import { find, findAll, required } from "./shared/dom.js";
import { chooseKey } from "./shared/key-dialog.js";
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
  nameParts(page);
  let naming = 0;
  new MutationObserver(() => {
    cancelAnimationFrame(naming);
    naming = requestAnimationFrame(() => nameParts(page));
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
  if (frames.length === 0) return;
  // With scripts the list at the head opens operations here; without, it leads to the guides.
  for (const row of document.querySelectorAll(".operations li[id]")) {
    const link = required(row, "a", HTMLAnchorElement);
    link.href = `#${row.id}`;
    link.onclick = () => setTimeout(openAddressed); // once the address has changed
  }
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
    table.setAttribute("aria-label", `Answers of ${operation}`);
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
