// Does a value fit a schema? An interpreter of the JSON Schema keywords that sandbox/contract.py lets
// into a contract, and of no others: an unknown keyword is an error, never a silent "fits".
// It evaluates no code, so it runs under any content security policy.

const FORMATS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  "date-time": /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i,
  "json-pointer": /^(\/([^~]|~[01])*)?$/,
  "uri-reference": /^([A-Za-z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/,
};

const KEYWORDS = {
  type: (types, value) => [types].flat().some((type) => isOf(type, value)) || `must be ${[types].flat().join(" or ")}`,
  enum: (options, value) => options.some((option) => same(option, value)) || `must be one of ${options.join(", ")}`,
  const: (only, value) => same(only, value) || `must be ${JSON.stringify(only)}`,
  format: (name, value) => typeof value !== "string" || fitsFormat(name, value) || `must have the format ${name}`,
  pattern: (pattern, value) => typeof value !== "string" || new RegExp(pattern, "u").test(value) || `must match ${pattern}`,
  minLength: (least, value) => typeof value !== "string" || [...value].length >= least || `must have ${least} characters or more`,
  maxLength: (most, value) => typeof value !== "string" || [...value].length <= most || `must have ${most} characters or less`,
  minimum: (least, value) => typeof value !== "number" || value >= least || `must be ${least} or more`,
  maximum: (most, value) => typeof value !== "number" || value <= most || `must be ${most} or less`,
  exclusiveMinimum: (least, value) => typeof value !== "number" || value > least || `must be more than ${least}`,
  minItems: (least, value) => !Array.isArray(value) || value.length >= least || `must have ${least} entries or more`,
  maxItems: (most, value) => !Array.isArray(value) || value.length <= most || `must have ${most} entries or less`,
  uniqueItems: (wanted, value) =>
    !wanted || !Array.isArray(value) || value.every((item, i) => !value.slice(0, i).some((other) => same(other, item))) || "must have no entry twice",
  required: (names, value) => {
    const missing = isObject(value) ? names.find((name) => !Object.hasOwn(value, name)) : undefined;
    return missing === undefined || `must have the field ${missing}`;
  },
};

/**
 * Null when the value fits, else what does not: `{ pointer: "/duration", reason: "must be integer" }`.
 * `schemas` are those that references of the form `#/components/schemas/Name` lead to.
 */
export function misfit(schema, value, schemas, pointer = "") {
  for (const [keyword, rule] of Object.entries(schema)) {
    const found = keyword in APPLICATORS
      ? APPLICATORS[keyword](rule, value, schemas, pointer, schema)
      : verdict(KEYWORDS[keyword], keyword, rule, value, pointer);
    if (found) return found;
  }
  return null;
}

function verdict(check, keyword, rule, value, pointer) {
  if (!check) throw new Error(`The schema keyword ${keyword} is not understood.`);
  const result = check(rule, value);
  return result === true ? null : { pointer, reason: result };
}

const APPLICATORS = {
  $ref: (reference, value, schemas, pointer) => misfit(schemas[reference.split("/").at(-1)], value, schemas, pointer),
  properties: (rules, value, schemas, pointer) => {
    if (!isObject(value)) return null;
    for (const [name, rule] of Object.entries(rules)) {
      const found = Object.hasOwn(value, name) ? misfit(rule, value[name], schemas, `${pointer}/${escaped(name)}`) : null;
      if (found) return found;
    }
    return null;
  },
  additionalProperties: (allowed, value, schemas, pointer, schema) => {
    if (allowed === true || !isObject(value)) return null;
    const extra = Object.keys(value).find((name) => !Object.hasOwn(schema.properties ?? {}, name));
    return extra === undefined ? null : { pointer: `${pointer}/${escaped(extra)}`, reason: "is not a field of the contract" };
  },
  items: (rule, value, schemas, pointer) => {
    if (!Array.isArray(value)) return null;
    for (const [i, item] of value.entries()) {
      const found = misfit(rule, item, schemas, `${pointer}/${i}`);
      if (found) return found;
    }
    return null;
  },
  allOf: (rules, value, schemas, pointer) => {
    for (const rule of rules) {
      const found = misfit(rule, value, schemas, pointer);
      if (found) return found;
    }
    return null;
  },
  oneOf: (rules, value, schemas, pointer) =>
    rules.filter((rule) => !misfit(rule, value, schemas, pointer)).length === 1
      ? null
      : { pointer, reason: "must fit exactly one of the alternatives" },
  if: (rule, value, schemas, pointer, { then = {}, else: otherwise = {} }) =>
    misfit(misfit(rule, value, schemas, pointer) ? otherwise : then, value, schemas, pointer),
  then: () => null, // read by `if`
  else: () => null,
};

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

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function fitsFormat(name, value) {
  if (!(name in FORMATS)) throw new Error(`The format ${name} is not understood.`);
  return FORMATS[name].test(value);
}

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

function escaped(token) {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}
