// The only way the portal's scripts make HTML: elements and text, never markup. And how they find elements.

/**
 * `node("a", { class: "more", href: url }, "text", child)`; empty attributes and children are left out.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number | boolean | null | undefined | ((event: Event) => unknown)>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function node(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(attribute.slice(2), value);
    else element.setAttribute(attribute, value === true ? "" : String(value));
  }
  element.append(...present(children));
  return element;
}

/**
 * The items that are there.
 * @template Item
 * @param {readonly (Item | null | undefined)[]} items
 * @returns {Item[]}
 */
export function present(items) {
  return /** @type {Item[]} */ (items.filter((item) => item !== null && item !== undefined));
}

/**
 * Text whose `code` spans stand in backticks, as the contract writes them.
 * @param {string} text
 */
export function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? node("code", {}, part) : part));
}

/**
 * The element that the selector names, or null. An element of another kind is an error of the page.
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): Kind }} kind
 * @returns {Kind | null}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (found !== null && !(found instanceof kind)) throw new TypeError(`${selector} is not an ${kind.name}.`);
  return found;
}

/**
 * The element that the selector names. A page without it is an error.
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): Kind }} kind
 * @returns {Kind}
 */
export function required(root, selector, kind) {
  const found = find(root, selector, kind);
  if (found === null) throw new TypeError(`${selector} is missing.`);
  return found;
}

/**
 * All elements of that kind that the selector names.
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): Kind }} kind
 * @returns {Kind[]}
 */
export function findAll(root, selector, kind) {
  return [...root.querySelectorAll(selector)].filter(/** @returns {found is Kind} */ (found) => found instanceof kind);
}

/**
 * The element around the target of an event that the selector names, or null.
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function around(event, selector) {
  return event.target instanceof Element ? event.target.closest(selector) : null;
}
