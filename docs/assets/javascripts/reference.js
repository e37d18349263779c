// The frame of Swagger UI on the reference page: as high as its content, in the page's colors, with the
// key of the portal, and opened at the operation that the address names, such as #createCall.
// It calls these names of its parent, also when the page was reached by instant navigation.

import { chooseKey } from "./key-chooser.js";
import * as session from "./session.js";

const isDark = () => document.body.getAttribute("data-md-color-scheme") === "slate";
const ready = new WeakSet(); // frames that got key and place

window.__init_is_dark_mode = isDark();
window.update_swagger_ui_iframe_height = (id) => {
  const frame = document.getElementById(id);
  if (!frame) return;
  window.__init_is_dark_mode = isDark();
  frame.style.height = `${frame.contentDocument.body.scrollHeight + 80}px`;
  if (!ready.has(frame.contentDocument) && frame.contentDocument.querySelector(".opblock")) {
    ready.add(frame.contentDocument);
    authorize(frame);
    openOperation(frame);
    nameParts(frame.contentDocument);
    let naming = 0;
    new MutationObserver(() => {
      cancelAnimationFrame(naming);
      naming = requestAnimationFrame(() => nameParts(frame.contentDocument));
    }).observe(frame.contentDocument.body, { childList: true, subtree: true });
  }
};

// Swagger UI is ten times the rest of the page: it is loaded when somebody comes near it, or asks for an
// operation by its address.
const nearby = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => isIntersecting && load(target)), {
  rootMargin: "100px",
});

function load(frame) {
  nearby.unobserve(frame);
  if (frame.dataset.src) frame.src = frame.dataset.src;
  delete frame.dataset.src;
}

function start() {
  showKey();
  const waiting = [...document.querySelectorAll(".swagger-ui-iframe[data-src]")];
  for (const frame of waiting) wanted() ? load(frame) : nearby.observe(frame);
  if (!document.querySelector(".swagger-ui-iframe")) return;
  // With scripts the list at the head opens operations here; without, it leads to the guides.
  for (const row of document.querySelectorAll(".operations li[id]")) {
    const link = row.querySelector("a");
    link.href = `#${row.id}`;
    link.onclick = () => setTimeout(openWanted); // once the address has changed
  }
}

function openWanted() {
  for (const frame of document.querySelectorAll(".swagger-ui-iframe")) frame.dataset.src ? load(frame) : openOperation(frame);
}

const wanted = () => location.hash.slice(1).toLowerCase();

/** Gives Swagger UI the key, which it keeps in memory as we do. */
function authorize(frame) {
  const { ui, JSON: framed } = frame.contentWindow;
  const schema = { type: "http", scheme: "bearer" };
  const given = { serviceKey: { name: "serviceKey", schema, value: session.key() } };
  // Swagger UI understands objects of its own window only.
  ui?.authActions.authorize(framed.parse(JSON.stringify(given)));
}

function openOperation(frame) {
  const blocks = [...frame.contentDocument.querySelectorAll(".opblock")];
  const block = wanted() && blocks.find(({ id }) => id.toLowerCase().endsWith(`-${wanted()}`));
  if (!block) return;
  if (!block.classList.contains("is-open")) block.querySelector(".opblock-summary-control").click();
  requestAnimationFrame(() => {
    const top = frame.getBoundingClientRect().top + block.getBoundingClientRect().top + scrollY;
    scrollTo({ top: top - 80 });
  });
}

/** Swagger UI leaves its lists, tables and headings without what a screen reader needs. */
function nameParts(page) {
  for (const select of page.querySelectorAll("select:not([aria-label])")) {
    select.setAttribute("aria-label", select.classList.contains("examples-select-element") ? "Example" : "Media type");
  }
  for (const heading of page.querySelectorAll(":is(h3, h4, h5):not([aria-level])")) {
    heading.setAttribute("aria-level", Number(heading.localName[1]) - 1); // the page around has the only h1
  }
  for (const table of page.querySelectorAll('table[role="region"]:not([aria-label])')) {
    const operation = table.closest(".opblock").id.split("-").at(-1);
    table.setAttribute("aria-label", `Answers of ${operation}`);
  }
  for (const button of page.querySelectorAll(".copy-to-clipboard button:not([aria-label])")) button.setAttribute("aria-label", "Copy");
  for (const place of page.querySelectorAll(".microlight:not([tabindex])")) place.tabIndex = 0; // long ones scroll
}

function showKey() {
  const button = document.querySelector(".reference-key");
  if (!button) return;
  button.hidden = false;
  button.lastElementChild.textContent = session.key();
  button.onclick = () => chooseKey();
}

const frames = () => [...document.querySelectorAll(".swagger-ui-iframe")].filter((frame) => frame.contentDocument?.body);

session.on("key", () => (showKey(), frames().forEach(authorize)));
if (window.document$) window.document$.subscribe(start);
else start();
addEventListener("hashchange", openWanted);
new MutationObserver(() => {
  window.__init_is_dark_mode = isDark();
  for (const frame of frames()) frame.contentDocument.documentElement.classList.toggle("dark-mode", isDark());
}).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
for (const frame of frames()) window.update_swagger_ui_iframe_height(frame.id);
