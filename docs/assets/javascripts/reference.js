// The frame of Swagger UI on the reference page: as high as its content, in the page's colors, with the
// key of the portal, and opened at the operation that the address names, such as #createCall.
// It calls these names of its parent, also when the page was reached by instant navigation.

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
  }
};

/** Gives Swagger UI the key, which it keeps in memory as we do. */
function authorize(frame) {
  const { ui, JSON: framed } = frame.contentWindow;
  const schema = { type: "http", scheme: "bearer" };
  const given = { serviceKey: { name: "serviceKey", schema, value: session.key() } };
  // Swagger UI understands objects of its own window only.
  ui?.authActions.authorize(framed.parse(JSON.stringify(given)));
}

function openOperation(frame) {
  const wanted = location.hash.slice(1).toLowerCase();
  const blocks = [...frame.contentDocument.querySelectorAll(".opblock")];
  const block = wanted && blocks.find(({ id }) => id.toLowerCase().endsWith(`-${wanted}`));
  if (!block) return;
  if (!block.classList.contains("is-open")) block.querySelector(".opblock-summary-control").click();
  requestAnimationFrame(() => {
    const top = frame.getBoundingClientRect().top + block.getBoundingClientRect().top + scrollY;
    scrollTo({ top: top - 80 });
  });
}

const frames = () => [...document.querySelectorAll(".swagger-ui-iframe")].filter((frame) => frame.contentDocument);

session.on("key", () => frames().forEach(authorize));
addEventListener("hashchange", () => frames().forEach(openOperation));
new MutationObserver(() => {
  window.__init_is_dark_mode = isDark();
  for (const frame of frames()) frame.contentDocument.documentElement.classList.toggle("dark-mode", isDark());
}).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
for (const frame of frames()) window.update_swagger_ui_iframe_height(frame.id);
