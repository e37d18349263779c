// Material takes the pages of its instant navigation from sitemap.xml, whose addresses are those of
// the build. This puts in the address that serves the page, so that any host and port will do.
// The frame of the reference may be there before the module that serves it: until then it is told to wait.
window.update_swagger_ui_iframe_height ??= () => {};
// At the first step back Material loads even the page again that is there. An element that names its page in
// data-steps is told of the steps within it instead.
addEventListener("popstate", (event) => {
  /** @type {HTMLElement | null} */
  const page = document.querySelector("[data-steps]");
  if (page?.dataset.steps !== location.pathname) return;
  event.stopImmediatePropagation();
  page.dispatchEvent(new Event("step"));
});
(() => {
  const parse = DOMParser.prototype.parseFromString;
  const config = document.getElementById("__config")?.textContent ?? "{}";
  const base = new URL(JSON.parse(config).base, location.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  /** @type {typeof parse} */
  DOMParser.prototype.parseFromString = function (text, type) {
    const parsed = parse.call(this, text, type);
    // A page is parsed as if there were no scripts: what it defers then is text again, as in a page that was loaded.
    for (const deferred of parsed.querySelectorAll("details > noscript")) deferred.textContent = deferred.innerHTML;
    const places = type === "text/xml" ? [...parsed.querySelectorAll("urlset > url > loc")] : [];
    const built = places.map((place) => place.textContent ?? "").sort((a, b) => a.length - b.length)[0] ?? "";
    for (const place of places) {
      const address = place.textContent ?? "";
      if (address.startsWith(built)) place.textContent = new URL(address.slice(built.length), base).href;
    }
    return parsed;
  };
})();
