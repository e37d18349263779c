// Every top-level alternative of a pattern begins with ^ and ends with an unescaped $.
// `^a|b$` looks anchored and is not: it takes whatever begins with a.

function alternatives(pattern) {
  const found = ['']
  let depth = 0
  let inClass = false
  for (const token of pattern.match(/\\.|[^]/gu) ?? []) {
    if (token === '[') inClass = true
    else if (token === ']') inClass = false
    else if (token === '(' && !inClass) depth += 1
    else if (token === ')' && !inClass) depth -= 1
    if (token === '|' && depth === 0 && !inClass) found.push('')
    else found[found.length - 1] += token
  }
  return found
}

export default function anchored(pattern) {
  if (typeof pattern !== 'string') return []
  return alternatives(pattern)
    .filter((alternative) => !/^\^([^\\]|\\.)*\$$/u.test(alternative))
    .map((alternative) => ({ message: `Anchor "${alternative}" as "^…$".` }))
}
