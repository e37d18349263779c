// An old address of a page: goes to the new one and keeps the anchor, which a refresh would lose.
// A classic script, for a module has no currentScript.
(() => {
  const to = document.currentScript?.dataset.to;
  if (to) location.replace(new URL(to + location.search + location.hash, location.href));
})();
