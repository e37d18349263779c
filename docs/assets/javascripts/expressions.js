// Runtime expressions of OpenAPI links, such as `$response.body#/agents/0/key`.

const FROM_BODY = "$response.body#";

/** The value of a link's expression in an answer, or undefined when it leads nowhere. */
export function evaluate(expression, answer) {
  if (typeof expression !== "string" || !expression.startsWith(FROM_BODY)) return undefined;
  let value = answer;
  for (const token of expression.slice(FROM_BODY.length).split("/").slice(1)) {
    if (value === null || typeof value !== "object") return undefined;
    value = value[token.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return value;
}

/** The fields of a link's parameters or body that an answer fills; plain values are left out. */
export function filled(template, answer) {
  const values = {};
  for (const [name, expression] of Object.entries(template ?? {})) {
    if (expression !== null && typeof expression === "object") {
      const nested = filled(expression, answer);
      if (Object.keys(nested).length > 0) values[name] = nested;
      continue;
    }
    const value = evaluate(expression, answer);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** `path` with its parameters put in, each encoded. */
export function fillPath(path, parameters) {
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parameters[name] ?? ""));
}
