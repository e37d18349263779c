// A JSON value as a program writes it: what voice_portal/snippets.py and compiled_snippets.py do at build time, for edited bodies.

/** @typedef {"bash" | "python" | "javascript" | "php" | "go" | "java" | "csharp"} Language */

const WRITERS = { bash: shell, python, javascript, php, go, java, csharp };

/**
 * The value as it stands in the snippet of a language.
 * @param {Language} language
 * @param {Json} value
 */
export function literal(language, value) {
  return WRITERS[language](value);
}

/**
 * A text that is not JSON, as it stands in the snippet of a language.
 * @param {Language} language
 * @param {string} value
 */
export function textLiteral(language, value) {
  if (language === "bash") return quoted(value);
  return language === "php" ? `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'` : JSON.stringify(value);
}

/** @param {Json} value */
function php(value) {
  return `<<<'JSON'\n${indented(value, 8)}\n        JSON`;
}

/** @param {Json} value */
function go(value) {
  return `\`${JSON.stringify(value, null, 2).replaceAll("`", "\\u0060")}\``;
}

/** @param {Json} value */
function java(value) {
  return `"""\n${indented(value, 16).replaceAll("\\", "\\\\")}"""`;
}

/** @param {Json} value */
function csharp(value) {
  return `"""\n${indented(value, 4)}\n    """`;
}

/**
 * @param {Json} value
 * @param {number} blanks
 */
function indented(value, blanks) {
  const start = " ".repeat(blanks);
  return start + JSON.stringify(value, null, 2).replaceAll("\n", `\n${start}`);
}

/** @param {Json} value */
function shell(value) {
  return quoted(JSON.stringify(value, null, 2).replaceAll("\n", "\n  "));
}

/** @param {string} value */
function quoted(value) {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/**
 * @param {Json} value
 * @returns {string}
 */
function python(value, indent = 4) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map((item) => python(item, indent)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = " ".repeat(indent + 4);
  const lines = Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${python(item, indent + 4)},\n`);
  return `{\n${lines.join("")}${" ".repeat(indent)}}`;
}

/**
 * @param {Json} value
 * @returns {string}
 */
function javascript(value, indent = 2) {
  if (Array.isArray(value)) return `[${value.map((item) => javascript(item, indent)).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = " ".repeat(indent + 2);
  const lines = Object.entries(value).map(([key, item]) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
    return `${inner}${name}: ${javascript(item, indent + 2)},\n`;
  });
  return `{\n${lines.join("")}${" ".repeat(indent)}}`;
}
