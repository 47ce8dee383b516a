// Shows /openapi.json: no library, nothing from elsewhere, and every text as text.

const found = document.querySelector('#operations')
const find = document.querySelector('#find')

/** @param {string} name @param {...(string | Node)} children */
function element(name, ...children) {
  const made = document.createElement(name)
  made.append(...children)
  return made
}

function typeOf(schema) {
  if (schema === undefined) return ''
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1)
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return options.map(typeOf).join(' | ')
  if (schema.type === 'array') return `${typeOf(schema.items)}[]`
  return [schema.type, schema.format].filter(Boolean).join(' ')
}

/** The same for people: what has a name leads to it. */
function typeNodes(schema) {
  const name = schema?.$ref?.split('/').at(-1)
  if (name === undefined) return [typeOf(schema)]
  const link = element('a', name)
  link.href = `#schema-${name}`
  return [link]
}

function parameterTable(parameters) {
  const rows = parameters.map(({ name, in: place, required, schema, description }) =>
    element(
      'tr',
      element('td', element('code', name)),
      element('td', place + (required ? ', required' : '')),
      element('td', ...typeNodes(schema)),
      element('td', description ?? schema?.description ?? ''),
    ),
  )
  return element('table', element('tbody', ...rows))
}

function bodies(content) {
  return Object.entries(content ?? {}).map(([type, { schema }]) =>
    element('div', element('p', element('code', type)), element('pre', JSON.stringify(schema, undefined, 2))),
  )
}

function replies(responses) {
  return Object.entries(responses).map(([status, { description, content }]) => {
    const types = Object.entries(content ?? {}).map(([type, { schema }]) => element('div', `${type}: `, ...typeNodes(schema)))
    return element('tr', element('td', element('code', status)), element('td', description), element('td', ...types))
  })
}

function operation(path, method, { operationId, summary, parameters, requestBody, responses }) {
  const head = element('summary', element('span', method.toUpperCase()), element('code', path), ` ${summary}`)
  head.firstElementChild.className = 'method'
  const details = element('details', head, element('p', element('code', operationId)))
  if (parameters.length > 0) details.append(element('h3', 'Parameters'), parameterTable(parameters))
  if (requestBody !== undefined) details.append(element('h3', 'Body'), ...bodies(requestBody.content))
  details.append(element('h3', 'Replies'), element('table', element('tbody', ...replies(responses))))
  details.dataset.text = `${operationId} ${method} ${path} ${summary}`.toLowerCase()
  return details
}

function schemaList(schemas) {
  const all = Object.entries(schemas).map(([name, schema]) => {
    const details = element('details', element('summary', element('code', name)), element('pre', JSON.stringify(schema, undefined, 2)))
    details.dataset.text = name.toLowerCase()
    details.id = `schema-${name}`
    return details
  })
  return [element('h2', 'Schemas'), ...all]
}

try {
  const response = await fetch('/openapi.json')
  const { info, paths, components } = await response.json()
  document.title = info.title
  document.querySelector('#title').textContent = info.title
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => operation(path, method, each)),
  )
  found.replaceChildren(...operations, ...schemaList(components.schemas))
} catch (error) {
  found.replaceChildren(element('p', `The document cannot be read: ${String(error)}`))
}

find.addEventListener('input', () => {
  const wanted = find.value.toLowerCase()
  for (const details of found.querySelectorAll('details')) details.hidden = !details.dataset.text.includes(wanted)
})

function openNamed() {
  const named = document.getElementById(location.hash.slice(1))
  if (named?.tagName !== 'DETAILS') return
  Object.assign(named, { hidden: false, open: true })
  named.scrollIntoView()
}
window.addEventListener('hashchange', openNamed)
openNamed()
