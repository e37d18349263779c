// JSON Schema cannot compare the names in `properties` with those in `required`.
// A request may leave a property out; a response has each. A schema that both use is a response's.

export default function everyPropertyRequired(schema, _options, context) {
  if (isOfRequestsAlone(context.path, context.document.data)) return []
  const required = schema.required ?? []
  return Object.keys(schema.properties ?? {})
    .filter((name) => !required.includes(name))
    .map((name) => ({ message: `Add "${name}" to "required"; a value that may be missing is null.` }))
}

function isOfRequestsAlone(path, contract) {
  if (path.includes('requestBody')) return true
  const [root, kind, name] = path
  if (root !== 'components' || kind !== 'schemas') return false
  const named = (node) => schemasNamedIn(node, contract.components.schemas)
  const operations = Object.values(contract.paths).flatMap(Object.values)
  const requests = named(operations.map((operation) => operation.requestBody ?? {}))
  const responses = named([operations.map((operation) => operation.responses ?? {}), contract.components.responses ?? {}])
  return requests.has(name) && !responses.has(name)
}

function schemasNamedIn(node, schemas, found = new Set()) {
  if (node === null || typeof node !== 'object') return found
  const name = /#\/components\/schemas\/([^/]+)$/.exec(node.$ref ?? '')?.[1]
  if (name && name in schemas && !found.has(name)) {
    found.add(name)
    schemasNamedIn(schemas[name], schemas, found)
  }
  Object.values(node).forEach((part) => schemasNamedIn(part, schemas, found))
  return found
}
