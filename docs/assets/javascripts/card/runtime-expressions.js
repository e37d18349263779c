// Runtime expressions of OpenAPI links, such as `$response.body#/agents/0/key`.

const FROM_BODY = "$response.body#";

/**
 * The value of a link's expression in the body of a response, or undefined when it leads nowhere.
 * @param {Json} expression
 * @param {unknown} body
 * @returns {Json | undefined}
 */
export function evaluate(expression, body) {
  if (typeof expression !== "string" || !expression.startsWith(FROM_BODY)) return undefined;
  let value = /** @type {Json | undefined} */ (body);
  for (const token of expression.slice(FROM_BODY.length).split("/").slice(1)) {
    if (value === null || typeof value !== "object") return undefined;
    value = /** @type {JsonObject} */ (value)[token.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return value;
}

/**
 * The fields of a link's parameters or body that a response fills; plain values are left out.
 * @param {JsonObject | null | undefined} template
 * @param {unknown} body
 * @returns {JsonObject}
 */
export function filled(template, body) {
  /** @type {JsonObject} */
  const values = {};
  for (const [name, expression] of Object.entries(template ?? {})) {
    if (expression !== null && typeof expression === "object") {
      const nested = filled(/** @type {JsonObject} */ (expression), body);
      if (Object.keys(nested).length > 0) values[name] = nested;
      continue;
    }
    const value = evaluate(expression, body);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/**
 * `path` with its parameters put in, each encoded.
 * @param {string} path
 * @param {JsonObject} parameters
 */
export function fillPath(path, parameters) {
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(parameters[name] ?? "")));
}
