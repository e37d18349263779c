// Does a value fit a schema? An interpreter of the JSON Schema keywords that voice_sandbox/contract/ lets
// into a contract, and of no others: an unknown keyword is an error, never a silent "valid".
// It evaluates no code, so it runs under any content security policy.

/** @type {Record<string, RegExp>} */
const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  "date-time": /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i,
  "json-pointer": /^(\/([^~]|~[01])*)?$/,
  "uri-reference": /^([A-Za-z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/,
};

/**
 * @typedef {Record<string, any>} Schema
 * @typedef {Record<string, Schema>} Schemas
 * @typedef {{ pointer: string, reason: string }} Violation such as `{ pointer: "/duration", reason: "must be integer" }`
 */

/** @type {Record<string, (rule: any, value: unknown) => true | string>} */
const KEYWORDS = {
  type: (types, value) => [types].flat().some((type) => isOf(type, value)) || `must be ${[types].flat().join(" or ")}`,
  enum: (/** @type {unknown[]} */ options, value) => options.some((option) => same(option, value)) || `must be one of ${options.join(", ")}`,
  const: (only, value) => same(only, value) || `must be ${JSON.stringify(only)}`,
  format: (name, value) => typeof value !== "string" || fitsFormat(name, value) || `must have the format ${name}`,
  pattern: (pattern, value) => typeof value !== "string" || new RegExp(pattern, "u").test(value) || `must match ${pattern}`,
  minLength: (limit, value) => typeof value !== "string" || [...value].length >= limit || `must have ${limit} characters or more`,
  maxLength: (limit, value) => typeof value !== "string" || [...value].length <= limit || `must have ${limit} characters or less`,
  minimum: (limit, value) => typeof value !== "number" || value >= limit || `must be ${limit} or more`,
  maximum: (limit, value) => typeof value !== "number" || value <= limit || `must be ${limit} or less`,
  exclusiveMinimum: (limit, value) => typeof value !== "number" || value > limit || `must be more than ${limit}`,
  minItems: (limit, value) => !Array.isArray(value) || value.length >= limit || `must have ${limit} entries or more`,
  maxItems: (limit, value) => !Array.isArray(value) || value.length <= limit || `must have ${limit} entries or less`,
  uniqueItems: (isUnique, value) =>
    !isUnique || !Array.isArray(value) || value.every((item, i) => !value.slice(0, i).some((other) => same(other, item))) || "must have no entry twice",
  required: (/** @type {string[]} */ names, value) => {
    const missing = isObject(value) ? names.find((name) => !Object.hasOwn(value, name)) : undefined;
    return missing === undefined || `must have the field ${missing}`;
  },
};

/**
 * The first violation of the schema, or null when the value fits.
 * @param {Schema} schema
 * @param {unknown} value
 * @param {Schemas} schemas those that references of the form `#/components/schemas/Name` lead to
 * @param {string} [pointer]
 * @returns {Violation | null}
 */
export function violation(schema, value, schemas, pointer = "") {
  for (const [keyword, rule] of Object.entries(schema)) {
    const applicator = APPLICATORS[keyword];
    const found = applicator
      ? applicator(rule, value, schemas, pointer, schema)
      : checked(keyword, rule, value, pointer);
    if (found) return found;
  }
  return null;
}

/**
 * @param {string} keyword
 * @param {unknown} rule
 * @param {unknown} value
 * @param {string} pointer
 * @returns {Violation | null}
 */
function checked(keyword, rule, value, pointer) {
  const check = KEYWORDS[keyword];
  if (!check) throw new Error(`The schema keyword ${keyword} is not understood.`);
  const result = check(rule, value);
  return result === true ? null : { pointer, reason: result };
}

/** @type {Record<string, (rule: any, value: unknown, schemas: Schemas, pointer: string, schema: Schema) => Violation | null>} */
const APPLICATORS = {
  $ref: (reference, value, schemas, pointer) => violation(referenced(reference, schemas), value, schemas, pointer),
  properties: (rules, value, schemas, pointer) => {
    if (!isObject(value)) return null;
    for (const [name, rule] of Object.entries(rules)) {
      const found = Object.hasOwn(value, name) ? violation(rule, value[name], schemas, `${pointer}/${escaped(name)}`) : null;
      if (found) return found;
    }
    return null;
  },
  additionalProperties: (allowed, value, _schemas, pointer, schema) => {
    if (allowed === true || !isObject(value)) return null;
    const extra = Object.keys(value).find((name) => !Object.hasOwn(schema.properties ?? {}, name));
    return extra === undefined ? null : { pointer: `${pointer}/${escaped(extra)}`, reason: "is not a field of the contract" };
  },
  items: (rule, value, schemas, pointer) => {
    if (!Array.isArray(value)) return null;
    for (const [i, item] of value.entries()) {
      const found = violation(rule, item, schemas, `${pointer}/${i}`);
      if (found) return found;
    }
    return null;
  },
  allOf: (rules, value, schemas, pointer) => {
    for (const rule of rules) {
      const found = violation(rule, value, schemas, pointer);
      if (found) return found;
    }
    return null;
  },
  anyOf: (rules, value, schemas, pointer) =>
    rules.some((/** @type {Schema} */ rule) => !violation(rule, value, schemas, pointer))
      ? null
      : { pointer, reason: "must fit one of the alternatives" },
  oneOf: (rules, value, schemas, pointer) =>
    rules.filter((/** @type {Schema} */ rule) => !violation(rule, value, schemas, pointer)).length === 1
      ? null
      : { pointer, reason: "must fit exactly one of the alternatives" },
  if: (rule, value, schemas, pointer, { then = {}, else: otherwise = {} }) =>
    violation(violation(rule, value, schemas, pointer) ? otherwise : then, value, schemas, pointer),
  then: () => null, // read by `if`
  else: () => null,
};

/**
 * @param {string} reference
 * @param {Schemas} schemas
 */
function referenced(reference, schemas) {
  const schema = schemas[reference.split("/").at(-1) ?? ""];
  if (!schema) throw new Error(`The schema ${reference} is missing.`);
  return schema;
}

/**
 * @param {string} type
 * @param {unknown} value
 */
function isOf(type, value) {
  switch (type) {
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    default:
      return typeof value === type;
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/**
 * @param {string} name
 * @param {string} value
 */
function fitsFormat(name, value) {
  const format = FORMATS[name];
  if (!format) throw new Error(`The format ${name} is not understood.`);
  return format.test(value);
}

/**
 * @param {unknown} one
 * @param {unknown} other
 * @returns {boolean}
 */
function same(one, other) {
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, i) => same(item, other[i]));
  }
  if (isObject(one)) {
    const names = Object.keys(one);
    return (
      isObject(other) &&
      names.length === Object.keys(other).length &&
      names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]))
    );
  }
  return one === other;
}

/** @param {string} token */
function escaped(token) {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}
