import type { Problem, Rule } from './rule.ts'
import type { Source } from './source.ts'
import { isTest, isTesting, shippedSources } from './tree.ts'
import type { Tree } from './tree.ts'

/** Packages that own a protocol. Everything else takes a client or a server as a parameter. */
const SOCKET_OWNERS = new Set(['relay', 'transport', 'postgres', 'identity', 'impersonation', 'cloudsigma', 'kube', 'service', 'sandbox'])
/** In a browser there is one way out, and the console has it in one place; what mocks it stands beside. */
const BROWSER_FETCH = new Set(['apps/console/src/api/ask.ts', 'apps/console/src/dev/mock-fetch.ts'])
const SOCKET_MODULES = new Set([
  'node:net',
  'node:http',
  'node:https',
  'node:http2',
  'node:tls',
  'node:dgram',
  'node:dns',
  'node:dns/promises',
  'undici',
])
/** What these modules also hold: arithmetic on addresses and tables of constants. */
const HARMLESS = new Set([
  'isIP',
  'isIPv4',
  'isIPv6',
  'BlockList',
  'SocketAddress',
  'METHODS',
  'STATUS_CODES',
  'validateHeaderName',
  'validateHeaderValue',
])
const SOCKET_GLOBALS = new Set(['fetch', 'WebSocket', 'EventSource'])

function problemAt(source: Source, offset: number, says: string): Problem {
  return { file: source.path, line: source.lineOf(offset), says }
}

function socketsStayWithTheirOwners(tree: Tree): Problem[] {
  const problems: Problem[] = []
  for (const source of shippedSources(tree)) {
    const [home, name = ''] = source.path.split('/')
    if ((home === 'packages' && SOCKET_OWNERS.has(name)) || BROWSER_FETCH.has(source.path)) continue
    const way = 'opens sockets; use the client or listener of service, relay or another package that owns the protocol'
    for (const found of source.imports) {
      if (!SOCKET_MODULES.has(found.specifier) || found.kind === 'type') continue
      if (found.names.length > 0 && found.names.every((taken) => HARMLESS.has(taken))) continue
      problems.push(problemAt(source, found.start, `imports ${found.specifier} and so ${way}`))
    }
    for (const { callee, offset } of globalCalls(source)) problems.push(problemAt(source, offset, `calls ${callee}() and so ${way}`))
  }
  return problems
}

/** Calls of the socket-opening globals; a `fetch` that came in as a parameter is not the global. */
function globalCalls(source: Source): { callee: string; offset: number }[] {
  const calls: { callee: string; offset: number }[] = []
  const local = new Set<string>(source.imports.flatMap(({ names }) => names))
  const bind = (pattern: { readonly type: string; readonly name?: string }): void => {
    if (pattern.type === 'Identifier' && pattern.name !== undefined) local.add(pattern.name)
  }
  source.visit({
    ObjectPattern({ properties }) {
      for (const property of properties) if (property.type === 'Property') bind(property.value)
    },
    VariableDeclarator({ id }) {
      bind(id)
    },
    FunctionDeclaration({ params }) {
      params.forEach(bind)
    },
    FunctionExpression({ params }) {
      params.forEach(bind)
    },
    ArrowFunctionExpression({ params }) {
      params.forEach(bind)
    },
    CallExpression({ callee, start }) {
      if (callee.type === 'Identifier' && SOCKET_GLOBALS.has(callee.name)) calls.push({ callee: callee.name, offset: start })
    },
    NewExpression({ callee, start }) {
      if (callee.type === 'Identifier' && SOCKET_GLOBALS.has(callee.name)) calls.push({ callee: callee.name, offset: start })
    },
  })
  return calls.filter(({ callee }) => !local.has(callee))
}

/** Every `object.property` with two plain names. */
function members(source: Source): { object: string; property: string; offset: number }[] {
  const found: { object: string; property: string; offset: number }[] = []
  source.visit({
    MemberExpression({ object, property, start }) {
      if (object.type === 'Identifier' && property.type === 'Identifier')
        found.push({ object: object.name, property: property.name, offset: start })
    },
  })
  return found
}

function environmentIsReadAtTheEdge(tree: Tree): Problem[] {
  return shippedSources(tree)
    .filter(({ path }) => !/\/(config|main)\.ts$/.test(path) && !isTesting(path))
    .flatMap((source) => {
      const says = 'reads process.env; read it in config.ts or main.ts and pass the value in'
      const reads = members(source).filter(({ object, property }) => object === 'process' && property === 'env')
      const imported = source.imports.filter(({ specifier, names }) => specifier === 'node:process' && names.includes('env'))
      return [...reads.map(({ offset }) => offset), ...imported.map(({ start }) => start)].map((offset) => problemAt(source, offset, says))
    })
}

function nobodyExits(tree: Tree): Problem[] {
  return shippedSources(tree).flatMap((source) =>
    members(source)
      .filter(({ object, property }) => object === 'process' && ['exit', 'reallyExit', 'abort'].includes(property))
      .map(({ offset, property }) =>
        problemAt(source, offset, `uses process.${property}; release everything, set process.exitCode in main.ts, let the loop drain`),
      ),
  )
}

function nobodyPrints(tree: Tree): Problem[] {
  return shippedSources(tree).flatMap((source) =>
    members(source)
      .filter(({ object }) => object === 'console')
      .map(({ offset, property }) => problemAt(source, offset, `uses console.${property}; log through the logger that is passed in`)),
  )
}

const MONEY = /^packages\/(rating|ledger)\/src\//
const FLOATS: ReadonlySet<string> = new Set(['Number.parseFloat', 'Math.round'])

function moneyIsExact(tree: Tree): Problem[] {
  const problems: Problem[] = []
  for (const source of tree.sources.filter(({ path }) => MONEY.test(path) && !isTest(path))) {
    const add = (name: string, offset: number): void => {
      problems.push(problemAt(source, offset, `uses ${name}; money is a bigint of nano-units: parse and round with the functions of units`))
    }
    for (const { object, property, offset } of members(source))
      if (FLOATS.has(`${object}.${property}`)) add(`${object}.${property}`, offset)
    source.visit({
      CallExpression({ callee, start }) {
        if (callee.type === 'Identifier' && callee.name === 'parseFloat') add('parseFloat', start)
        if (callee.type === 'MemberExpression' && callee.property.type === 'Identifier' && callee.property.name === 'toFixed')
          add('toFixed', start)
      },
    })
  }
  return problems
}

export const effectRules: readonly Rule[] = [
  { name: 'only packages that own a protocol open sockets', check: socketsStayWithTheirOwners },
  { name: 'only config.ts and main.ts read process.env', check: environmentIsReadAtTheEdge },
  { name: 'nobody calls process.exit()', check: nobodyExits },
  { name: 'nobody prints past the logger', check: nobodyPrints },
  { name: 'no float touches money in rating and ledger', check: moneyIsExact },
]
