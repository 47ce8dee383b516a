import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import OpenAI from 'openai'
import { exchangeRaw } from '@ascribe/service'
import type { RawReply } from '@ascribe/service'
import { run, start } from '../../support/process.ts'
import { eventsOf } from '../support/sse.ts'
import { until } from '../support/until.ts'
import { startChain } from './chain.ts'
import type { Chain } from './chain.ts'
import type { Caught } from './catcher.ts'
import type { ProxyAvailability } from './install.ts'
import { RAW_REQUESTS, request } from './raw-requests.ts'
import type { StartProxy } from './start.ts'

type Finding = { readonly what: string; readonly state: 'fine' | 'note' | 'wrong'; readonly detail: string }

export type SuiteOptions = {
  readonly name: string
  readonly start: StartProxy
  readonly available: ProxyAvailability
  /** Takes the protection out of the site, as somebody may who writes his own. */
  readonly unprotect: (site: string) => string
  /** Lets it believe what a proxy in front of it says of its client, where there is a word for that. */
  readonly behindAnother?: (site: string) => string
}

const CANARY = 'forged-canary'
const NAMES = ['Auth-Id', 'User-Id', 'Group-Id', 'Resource-Id', 'Resource-Type', 'Base-Model', 'Org-Id', 'Whatever'].map(
  (ending) => `X-Saturn-${ending}`,
)
const BODY = '{"model":"sandbox-small","messages":[{"role":"user","content":"hello"}]}'
const STREAM = {
  model: 'sandbox-small',
  max_tokens: 20,
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'hello' }],
} satisfies OpenAI.Chat.ChatCompletionCreateParamsStreaming

/** What has to hold of a real proxy with our site for it. */
export function edgeSuite({ name, start: startProxy, available: { skip }, unprotect, behindAnother }: SuiteOptions): void {
  let chain: Chain
  before(async () => {
    if (skip === false) chain = await startChain(startProxy)
  })
  after(async () => {
    if (skip === false) await chain[Symbol.asyncDispose]()
  })

  const send = (bytes: string): Promise<RawReply> =>
    exchangeRaw({ origin: chain.open.url, bytes: Buffer.from(bytes, 'utf8'), timeoutMs: 5000 })
  const sendOrNothing = (bytes: string): Promise<RawReply> => send(bytes).catch(() => ({ status: 0, body: '' }))
  /** Every head has exactly what the edge says, and nothing of the client's. */
  function assertOnlyTheEdge(heads: readonly Caught[], what: string): void {
    for (const { requestLine, fields, trailers } of heads) {
      const all = [requestLine, ...fields.map(([field, value]) => `${field}: ${value}`)].join('\n')
      assert.ok(!all.includes(CANARY), `${what}: the client's own arrived:\n${all}`)
      assert.ok(!trailers.some((each) => each.includes(CANARY)), `${what}: a trailer arrived: ${trailers.join(' ')}`)
      const identity = fields.filter(([field]) => /^x[-_]saturn[-_]/i.test(field))
      const said = identity.filter(([, value]) => value !== '').map(([field, value]) => `${field.toLowerCase()}: ${value}`)
      assert.equal(said.filter((each) => each === `x-saturn-auth-id: ${chain.product.ready.auth_id}`).length, 1, `${what}:\n${all}`)
      assert.equal(new Set(identity.map(([field]) => field.toLowerCase())).size, identity.length, `${what}: a header came twice:\n${all}`)
      assert.ok(!/^authorization:/im.test(all), `${what}: the credential went on`)
    }
  }

  test(`${name}: ascribe doctor --edge finds nothing wrong, and tries more than 25 disguises`, { skip }, async () => {
    const { code, stdout, stderr } = await run([
      'doctor',
      '--json',
      '--edge',
      chain.proxy.url,
      '--key-file',
      chain.keyFile,
      '--data',
      chain.product.dir,
    ])
    const findings = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding)
    assert.deepEqual(
      findings.filter(({ state }) => state !== 'fine'),
      [],
      stderr,
    )
    assert.ok(findings.length > 25)
    assert.match(findings[0]?.detail ?? '', new RegExp(`auth id ${chain.product.ready.auth_id}, the resource of the model's route`))
    assert.equal(code, 0)
    assert.deepEqual(await chain.product.events(), [])
  })

  test(`${name}: ascribe doctor --edge ends with 1 when the site lets the client's headers pass`, { skip }, async () => {
    await using broken = await chain.startProxy({ change: unprotect })
    const { code, stdout } = await run(['doctor', '--edge', broken.url, '--key-file', chain.keyFile, '--data', chain.product.dir])
    assert.equal(code, 1)
    assert.match(stdout, /✗ as they are +forged headers arrive: .*X-Saturn-Forged/i)
    assert.match(stdout, /Let the proxy remove every identity header of its client/)
  })

  test(`${name}: ascribe doctor --edge names what a gateway is not told, and a gateway that is told by nobody`, { skip }, async () => {
    const doctor = async (gateway: string): Promise<string> => {
      await using other = await chain.startProxy({ gateway })
      const { code, stdout } = await run(['doctor', '--edge', other.url, '--key-file', chain.keyFile, '--data', chain.product.dir])
      assert.equal(code, 1)
      return stdout
    }
    const gateway = async (env: Readonly<Record<string, string>>): Promise<AsyncDisposable & { readonly host: string }> => {
      const args = [
        'gateway',
        '--json',
        '--data',
        chain.product.dir,
        '--port',
        '0',
        '--metrics-port',
        '0',
        '--upstream',
        'http://127.0.0.1:9',
      ]
      const process = start(args, { env: { ASCRIBE_GATEWAY_TRUSTED_PEERS: '[]', ...env } })
      const line = (await process.firstLine) ?? ''
      return {
        host: new URL((JSON.parse(line) as { gateway: string }).gateway).host,
        [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
      }
    }
    await using strict = await gateway({ ASCRIBE_GATEWAY_TRUST_HEADERS_FROM: '127.0.0.1' })
    assert.match(await doctor(strict.host), /✗ nothing forged +the gateway is not told X-Saturn-Resource-Id/)
    await using distrustful = await gateway({})
    assert.match(await doctor(distrustful.host), /✗ nothing forged +refused \(401\)/)
  })

  test(`${name}: no framing that is read in two ways brings a client's identity to the upstream`, { skip }, async () => {
    for (const { name: what, bytes } of RAW_REQUESTS) {
      chain.catcher.clear()
      await sendOrNothing(bytes({ key: chain.product.ready.key, canary: CANARY }))
      assertOnlyTheEdge(chain.catcher.heads, what)
      assert.ok(chain.catcher.heads.length <= 1, `${what}: ${chain.catcher.heads.length} requests arrived`)
    }
  })

  test(`${name}: no mixture of names, cases, separators and places brings a client's identity to the upstream`, { skip }, async () => {
    const field = fc
      .tuple(
        fc.constantFrom(...NAMES),
        fc.func(fc.integer({ min: 0, max: 3 })),
        fc.constantFrom(CANARY, `${CANARY}, ${CANARY}`, '', ` ${CANARY}\t`, `"${CANARY}"`, `é${CANARY}`),
        fc.constantFrom(': ', ':', ':\t'),
      )
      .map(([sent, twist, value, colon]) => {
        const letters = Array.from(sent, (letter, at) => {
          const how = twist(at)
          if (how === 1) return letter.toUpperCase()
          if (how === 2) return letter.toLowerCase()
          return how === 3 && letter === '-' ? '_' : letter
        })
        return `${letters.join('')}${colon}${value}`
      })
    const connection = fc.subarray(NAMES).map((names) => (names.length === 0 ? [] : [`Connection: ${names.join(', ')}`]))
    await fc.assert(
      fc.asyncProperty(fc.array(field, { minLength: 1, maxLength: 12 }), connection, async (forged, hop) => {
        chain.catcher.clear()
        const reply = await send(
          request({ key: chain.product.ready.key, canary: CANARY }, [...forged, ...hop, `Content-Length: ${BODY.length}`], BODY),
        )
        assert.ok(reply.status === 200 || (reply.status >= 400 && reply.status < 500), `${reply.status} ${reply.body}`)
        assertOnlyTheEdge(chain.catcher.heads, JSON.stringify(forged))
      }),
      { numRuns: 80 },
    )
  })

  test(`${name}: without a good key nothing reaches the upstream, whatever the client calls itself`, { skip }, async () => {
    chain.catcher.clear()
    for (const credential of ['X-None: x', 'Authorization: Bearer nonsense', 'Authorization: Basic eDp5', 'X-Api-Key: nonsense']) {
      const lines = [...NAMES.map((each) => `${each}: ${CANARY}`), `Content-Length: ${BODY.length}`, 'Connection: close']
      const bytes = request({ key: 'x', canary: CANARY }, lines, BODY).replace('Authorization: Bearer x', credential)
      const reply = await send(bytes)
      assert.equal(reply.status, 401, credential)
      assert.equal((JSON.parse(reply.body) as { error: { code: string } }).error.code, 'invalid_api_key')
    }
    const { headers } = await fetch(`${chain.open.url}/v1/chat/completions`, { method: 'POST', body: BODY })
    assert.match(headers.get('www-authenticate') ?? '', /^Bearer/)
    assert.deepEqual(chain.catcher.heads, [])
  })

  test(
    `${name}: a streamed chat through the whole chain is metered to the key, under what the edge or the model says`,
    { skip },
    async () => {
      const earlier = (await chain.product.events()).length
      const { key, auth_id: authId } = chain.product.ready
      const forged = Object.fromEntries(NAMES.map((each) => [each, CANARY]))
      // No client of JavaScript lets anybody choose its host.
      const body = JSON.stringify(STREAM)
      const lines = [...NAMES.map((each) => `${each}: ${CANARY}`), `Content-Length: ${body.length}`, 'Connection: close']
      const raw = await exchangeRaw({
        origin: chain.proxy.url,
        bytes: Buffer.from(request({ key, canary: CANARY, host: 'small.example' }, lines, body)),
      })
      const usage = eventsOf(raw.body).findLast(({ data }) => data?.usage !== undefined && data.usage !== null)?.data?.usage
      const openai = new OpenAI({ baseURL: `${chain.proxy.url}/v1`, apiKey: key, maxRetries: 0 })
      let tokens = 0
      for await (const event of await openai.chat.completions.create(STREAM, { headers: forged }))
        tokens = event.usage?.completion_tokens ?? tokens
      const counted = [usage?.completion_tokens ?? 0, tokens]
      const events = (await chain.product.eventsUntil(earlier + 2)).toSorted((a, b) => (a.event_id < b.event_id ? -1 : 1)).slice(earlier)
      assert.deepEqual(
        events.map((event) => [event.auth_id, event.resource_id, event.resource_type, event.completion_tokens, event.outcome]),
        [
          [authId, 'dep-small', 'deployment', counted[0], 'completed'],
          [authId, 'sandbox-small', 'model', counted[1], 'completed'],
        ],
      )
      assert.ok(!JSON.stringify(events).includes(CANARY))
      assert.ok(counted.every((count) => count > 0))
    },
  )

  test(`${name}: a place that no rule is for is refused, and so is a path that is read in two ways`, { skip }, async () => {
    chain.catcher.clear()
    const { key } = chain.product.ready
    for (const [host, path] of [
      ['other.example', '/v1/chat/completions'],
      ['many.example', '/models/x/..%2flarge/v1/chat/completions'],
      ['many.example', '/models//large/v1/chat/completions'],
    ] as const) {
      const bytes = request({ key, canary: CANARY, host }, [`Content-Length: ${BODY.length}`, 'Connection: close'], BODY)
      const { status } = await send(bytes.replace('/v1/chat/completions', path))
      assert.ok(status === 403 || status === 400, `${host}${path}: ${status}`)
    }
    const forged = ['X-Forwarded-Host: small.example', 'X-Forwarded-Uri: /models/large', 'X-Original-URL: /models/large']
    await send(request({ key, canary: CANARY }, [...forged, `Content-Length: ${BODY.length}`, 'Connection: close'], BODY))
    const [head] = chain.catcher.heads
    assert.equal(chain.catcher.heads.length, 1)
    assert.equal(head?.fields.find(([field]) => field.toLowerCase() === 'x-saturn-resource-id')?.[1] ?? '', '')
  })

  if (behindAnother !== undefined)
    test(`${name}: behind another proxy no client says to which host it went`, { skip }, async () => {
      await using inner = await chain.startProxy({ gateway: chain.catcher.address, change: behindAnother })
      chain.catcher.clear()
      const { key } = chain.product.ready
      assert.equal((await sendTo(inner.url, key, ['X-Forwarded-Host: small.example', 'X-Forwarded-Uri: /models/large'])).status, 200)
      const said = chain.catcher.heads[0]?.fields.find(([field]) => field.toLowerCase() === 'x-saturn-resource-id')?.[1]
      assert.equal(said ?? '', '')
    })

  test(`${name}: a revoked key is refused within moments, and leaves no record`, { skip }, async () => {
    const { product } = chain
    const { key, auth_id: authId } = await product.cli<{ key: string; auth_id: string }>(
      'keys',
      'create',
      '--org',
      product.ready.organization.id,
    )
    const ask = async (): Promise<number> => (await sendTo(chain.proxy.url, key)).status
    await until(async () => (await ask()) === 200, 'the new key works')
    await product.cli('keys', 'revoke', authId)
    await until(async () => (await ask()) === 401, 'the revoked key is refused')
    const served = (await product.events()).filter((event) => event.auth_id === authId).length
    for (let again = 0; again < 5; again += 1) assert.equal(await ask(), 401)
    assert.equal((await product.events()).filter((event) => event.auth_id === authId).length, served)
  })

  test(`${name}: while the edge is down everybody is refused, and nothing is let through`, { skip }, async () => {
    const { key } = chain.product.ready
    const earlier = (await chain.product.events()).length
    chain.catcher.clear()
    await chain.stopEdge()
    for (const url of [chain.proxy.url, chain.open.url]) {
      const { status, body } = await sendTo(
        url,
        key,
        NAMES.map((each) => `${each}: ${CANARY}`),
      )
      assert.equal(status, 503, body)
      assert.match(body, /"error"/)
    }
    assert.deepEqual([chain.catcher.heads, (await chain.product.events()).length], [[], earlier])
    await chain.startEdge()
    await until(async () => (await sendTo(chain.proxy.url, key)).status === 200, 'the edge is asked again')
  })
}

function sendTo(origin: string, key: string, lines: readonly string[] = []): Promise<RawReply> {
  const bytes = request({ key, canary: CANARY }, [...lines, `Content-Length: ${BODY.length}`, 'Connection: close'], BODY)
  return exchangeRaw({ origin, bytes: Buffer.from(bytes) })
}
