// JSON Schema cannot compare the names in `properties` with those in `required`.

export default function everyPropertyRequired(schema) {
  const required = schema.required ?? []
  return Object.keys(schema.properties ?? {})
    .filter((name) => !required.includes(name))
    .map((name) => ({ message: `Add "${name}" to "required"; a value that may be missing is null.` }))
}
