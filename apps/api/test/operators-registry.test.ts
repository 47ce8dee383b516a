import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { API_ROUTES, LISTENERS, routesOf } from '@ascribe/contract'
import type { RouteDef } from '@ascribe/contract'
import { listenOn } from '@ascribe/service'
import { NOBODY, OLGA, OTTO, assertUncached, openOperators, refusal, send } from './operators-support.ts'
import type { Answer } from './operators-support.ts'
import { createCustomer, settle, usageRecord } from './support.ts'
import type { Customer } from './support.ts'

// Driven by the contract: an operation that is added tomorrow is tested too.

const operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
const { db } = operators
let acme: Customer
let other: Customer

before(async () => {
  acme = await createCustomer(db, 'Acme-canary')
  other = await createCustomer(db, 'Other-canary')
  await settle(db, [
    usageRecord({ authId: acme.billing.authId, model: 'small' }),
    usageRecord({ authId: other.billing.authId, model: 'large' }),
  ])
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
  assert.equal((await operators.begin(OTTO, other.id)).status, 201)
})

const READS = routesOf('internal').filter(({ subject, method }) => subject === 'organization' && method === 'GET')

/** A path, with a query that most reads understand. */
function pathOf({ path, operationId }: RouteDef, organization: string): string {
  const filled = path.replace('{id}', organization).replaceAll(/\{\w+\}/g, NOBODY)
  if (path.startsWith('/api/costs')) return `${filled}?startDate=2026-03-01&endDate=2026-03-02`
  if (operationId === 'getStatement' || operationId === 'listUsageRecords') return `${filled}?month=2026-03`
  const window = /costs|usage|charges|records|freshness/.test(path) ? '?from=2026-03-01&to=2026-03-02' : ''
  return operationId === 'exportCharges' ? `${filled}${window}&format=csv` : `${filled}${window}`
}

test('every operators’ read is shut without an assertion, without a session, for another organization than its path, and leaves nothing in a cache', async () => {
  assert.ok(READS.length >= 20, `${READS.length}`)
  for (const def of READS) {
    const path = pathOf(def, acme.id)
    const bare = await send(operators.internal + path, { headers: ['accept', acme.id, 'authorization', `Bearer ${acme.billing.key}`] })
    assert.deepEqual(refusal(bare), [401, 'unauthenticated'], path)
    assert.deepEqual(refusal(await operators.read(OTTO, acme.id, path)), [403, 'acting_session_required'], path)
    if (def.path.includes('{id}'))
      assert.deepEqual(refusal(await operators.read(OTTO, other.id, path)), [400, 'organization_ambiguous'], path)
    const seen = await operators.read(OLGA, acme.id, path)
    assert.ok([200, 404, 400].includes(seen.status), `${path} ${seen.status} ${seen.text}`)
    assertUncached(seen)
    // The models that have a price are everybody's to know; which of them an organization used is not.
    const theirs = [other.id, 'Other-canary', ...(def.operationId === 'listModels' ? [] : ['large'])]
    assert.deepEqual(
      theirs.filter((each) => seen.text.includes(each)),
      [],
      path,
    )
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
      assert.equal((await send(operators.internal + path, { method, headers: await operators.as(OLGA) })).status, 405, `${method} ${path}`)
  }
})

test('every operators’ read leaves exactly one line, with the status that was sent, in the log of that organization alone', async () => {
  for (const def of READS) {
    const [mine, theirs] = [(await operators.log(acme.id)).length, (await operators.log(other.id)).length]
    const path = pathOf(def, acme.id)
    const reply = await operators.read(OLGA, acme.id, path)
    const isStream = reply.headers['transfer-encoding'] === 'chunked'
    while (isStream && (await operators.log(acme.id)).length < mine + 2);
    const lines = (await operators.log(acme.id)).toReversed().slice(mine)
    assert.deepEqual(
      lines.map(({ status, requestId }) => [status, requestId]),
      Array(isStream ? 2 : 1).fill([reply.status, reply.headers['x-request-id']]),
      path,
    )
    assert.equal((await operators.log(other.id)).length, theirs, path)
  }
})

test('R19: operators are given no payment details and no links to invoices', async () => {
  for (const def of READS) {
    const { text } = await operators.read(OLGA, acme.id, pathOf(def, acme.id))
    assert.doesNotMatch(text, /paymentMethods|defaultPaymentMethodId|webUrl|pdfUrl|last4/i, def.path)
  }
})

test('the three listeners serve what the contract lists for them, and nothing of each other', async () => {
  const urls = { public: operators.api, internal: operators.internal, admin: operators.admin }
  for (const listener of LISTENERS) {
    for (const def of API_ROUTES) {
      if (def.optional !== undefined) continue
      const path = def.path.replaceAll(/\{\w+\}/g, NOBODY)
      const { status, text } = await send(urls[listener] + path, { method: def.method })
      const isThere = def.listeners.includes(listener)
      const isElsewhere = routesOf(listener).some(
        (route) => route.path.replaceAll(/\{\w+\}/g, '{}') === def.path.replaceAll(/\{\w+\}/g, '{}'),
      )
      if (isThere) assert.ok(status === 401 || status === 403, `${listener} ${def.method} ${path}: ${status} ${text}`)
      else if (!isElsewhere) assert.ok(status === 404 || status === 405, `${listener} ${def.method} ${path}: ${status} ${text}`)
    }
    assert.equal((await send(`${urls[listener]}/healthz`)).text, '{"ok":true}')
    const document = JSON.parse((await send(`${urls[listener]}/openapi.json`)).text) as { paths: Record<string, object> }
    const said = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    // What is not switched on is not in the document of this installation: events of others, sign-in.
    const wanted = routesOf(listener).filter(({ optional }) => optional === undefined || optional === 'faults')
    assert.deepEqual(said.toSorted(), wanted.map(({ method, path }) => `${method} ${path}`).toSorted())
  }
})

test('pages load nothing from elsewhere, and sit in nobody’s frame', async () => {
  const pages = [`${operators.api}/docs`, `${operators.internal}/docs`, `${operators.admin}/docs`]
  for (const url of pages) {
    const { status, text, headers } = await send(url, { headers: ['sec-fetch-site', 'cross-site', 'sec-fetch-mode', 'navigate'] })
    if (url.startsWith(operators.admin)) continue
    assert.equal(status, 200, url)
    assert.match(headers['content-security-policy'] ?? '', /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/)
    const sources = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source)
    assert.ok(sources.length > 0)
    for (const source of sources) {
      assert.match(source, /^\//, source)
      assert.equal((await send(new URL(source, url).href)).status, 200, source)
    }
    assert.doesNotMatch(text, /<script>|\son\w+=/)
  }
})

test('R11: through a cache that keeps whatever it may, no organization is answered with another’s data', async () => {
  await using cache = await startCache(operators.internal)
  const who = [...(await operators.as(OLGA)), ...(await operators.as(OTTO))]
  const [olga, otto] = [who.slice(0, 2), who.slice(2)]
  const ask = (headers: readonly string[]): Promise<Answer> => send(`${cache.url}/api/organization`, { headers: [...headers] })
  const [first, second, again] = [
    await ask([...olga, 'accept', acme.id]),
    await ask([...otto, 'accept', other.id]),
    await ask([...olga, 'accept', acme.id]),
  ]
  assert.deepEqual(
    [first, second, again].map(({ text }) => (JSON.parse(text) as { id: string }).id),
    [acme.id, other.id, acme.id],
  )
  assert.equal((await ask([...otto, 'accept', acme.id])).status, 403)
  assert.equal((await ask(['accept', acme.id])).status, 401)
  assert.deepEqual([cache.kept(), cache.asked()], [0, 5])
})

/** A shared cache in the middle (RFC 9111): keeps every reply that does not forbid it, under the URL and what Vary names. */
async function startCache(upstream: string): Promise<AsyncDisposable & { readonly url: string; kept(): number; asked(): number }> {
  const kept = new Map<string, Answer & { readonly key: string }>()
  let asked = 0
  const server = createServer((message, response) => {
    const answer = async (): Promise<Answer> => {
      const found = kept.get(message.url ?? '')
      if (found !== undefined && found.key === keyOf(found.headers['vary'] ?? '')) return found
      asked += 1
      const fresh = await send(upstream + (message.url ?? ''), {
        headers: message.rawHeaders.filter((_, index, all) => all[index - (index % 2)]?.toLowerCase() !== 'host'),
      })
      if (!/no-store|private/.test(fresh.headers['cache-control'] ?? ''))
        kept.set(message.url ?? '', { ...fresh, key: keyOf(fresh.headers['vary'] ?? '') })
      return fresh
    }
    const keyOf = (vary: string): string =>
      vary
        .split(', ')
        .map((name) => String(message.headers[name.toLowerCase()]))
        .join('\n')
    void answer().then(({ status, headers, text }) => response.writeHead(status, { ...headers, connection: 'close' }).end(text))
  })
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${port}`,
    kept: () => kept.size,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('200 requests at once, of two operators about two organizations and of both customers, are each answered about their own', async () => {
  const [olga, otto] = [await operators.as(OLGA), await operators.as(OTTO)]
  const lines = [(await operators.log(acme.id)).length, (await operators.log(other.id)).length]
  const kinds = [
    { url: operators.internal, headers: [...olga, 'accept', acme.id], wanted: acme.id, status: 200 },
    { url: operators.internal, headers: [...otto, 'x-materialize-organization-id', other.id], wanted: other.id, status: 200 },
    { url: operators.internal, headers: [...otto, 'accept', acme.id], wanted: undefined, status: 403 },
    { url: operators.api, headers: ['authorization', `Bearer ${acme.billing.key}`], wanted: acme.id, status: 200 },
    { url: operators.api, headers: ['authorization', `Bearer ${other.billing.key}`], wanted: other.id, status: 200 },
  ]
  const replies = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const kind = kinds[index % kinds.length]
      assert(kind !== undefined)
      return { kind, reply: await send(`${kind.url}/api/organization`, { headers: kind.headers }) }
    }),
  )
  for (const { kind, reply } of replies) {
    assert.equal(reply.status, kind.status, reply.text)
    if (kind.wanted !== undefined) assert.equal((JSON.parse(reply.text) as { id: string }).id, kind.wanted)
  }
  assert.equal(new Set(replies.map(({ reply }) => reply.headers['x-request-id'])).size, 200)
  // 40 reads each, and 40 refusals in the log of the one that was asked about.
  assert.deepEqual(
    [(await operators.log(acme.id)).length - (lines[0] ?? 0), (await operators.log(other.id)).length - (lines[1] ?? 0)],
    [80, 40],
  )
})
