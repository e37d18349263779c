// The only way the portal's scripts make HTML: elements and text, never markup.

/** `node("a", { class: "more", href: url }, "text", child)`; empty attributes are left out. */
export function node(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (attribute.startsWith("on")) element.addEventListener(attribute.slice(2), value);
    else element.setAttribute(attribute, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text whose `code` spans stand in backticks, as the contract writes them. */
export function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? node("code", {}, part) : part));
}
