import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Faults } from '@ascribe/sandbox'
import { startWithEngine } from './engine-world.ts'
import type { EngineWorld } from './engine-world.ts'
import { CHAT, EVENTS, IDENTITY, ask, chunk, chunkedHead, fixedReply, jsonChat, rawUpstream, until, watch } from './support.ts'
import { startTestGateway } from './support.ts'
import type { Answer, GatewayOptions, Wire } from './support.ts'

const STREAM = { ...CHAT, max_tokens: 500, stream: true }
const SHORT = { ...CHAT, max_tokens: 1, sandbox: { tokens: 1 } }
const HEAD = Buffer.from(chunkedHead('text/event-stream'))
const GROUP = { ...IDENTITY, 'X-Saturn-Group-Id': 'group-1' }

const start = (t: TestContext, faults: Faults = {}, options: GatewayOptions = {}): Promise<EngineWorld> =>
  startWithEngine(t, { faults: { tokens: 500, tokenDelayMs: 3, ...faults }, ...options })

const codeOf = (answer: Answer): string => (JSON.parse(answer.text) as { error: { code: string } }).error.code

/** Opens a stream and leaves it in the middle. */
async function leaveEarly(t: TestContext, world: EngineWorld, headers: Record<string, string> = IDENTITY): Promise<void> {
  const client = await watch(t, world.port, { body: STREAM, headers })
  await client.sees('"delta":{"content":')
  client.socket.destroy()
}

test('litellm-17364, apisix-13254, sub2api-6482: a key may choose that the engine is cut off at once, while others are read on', async (t) => {
  const world = await start(t, { tokens: 40 })
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', abort: 'cancel' }])
  await leaveEarly(t, world)
  await until('the engine is cut off', () => world.engine.seen[0]?.ending === 'client-left')
  const cut = await world.record()
  assert.deepEqual([cut.outcome, cut.provenance], ['aborted', 'estimated'])
  assert.ok((cut.completionTokens ?? 0) > 0 && (cut.completionTokens ?? 0) < 40, 'what passed, and no more')
  await leaveEarly(t, world, { ...IDENTITY, 'X-Saturn-Auth-Id': 'auth-2' })
  const read = (await world.records(2)).at(-1)
  assert.deepEqual([read?.authId, read?.provenance, read?.completionTokens], ['auth-2', 'reported', 40])
})

test('terms of a credential come before those of its group, of its organization, and of the installation, each for what it says', async (t) => {
  const world = await start(t, {}, { abort: 'estimate' })
  const policyOf = async (headers: Record<string, string>): Promise<string> => {
    const count = (await world.intents()).length
    // Before the head: what is estimated, cut off and read on is three different things then.
    const client = await watch(t, world.port, { body: { ...STREAM, max_tokens: 3, sandbox: { tokens: 3, headDelayMs: 30 } }, headers })
    await until('the engine has it', () => world.engine.seen.length === count + 1)
    client.socket.destroy()
    const { provenance } = (await world.records(count + 1)).at(-1) ?? {}
    return provenance === 'reported' ? 'drain' : provenance === 'unknown' ? 'cancel' : 'estimate'
  }
  assert.equal(await policyOf(IDENTITY), 'estimate', 'the installation, where nobody says anything')
  const organization = { scope: 'organization', subject: 'org-1' } as const
  const owners = { 'auth-1': { organizationId: 'org-1' } }
  await world.setTerms([{ ...organization, abort: 'cancel' }], owners)
  assert.equal(await policyOf(IDENTITY), 'cancel', 'the organization of an auth id that only the directory knows')
  assert.equal(await policyOf({ ...IDENTITY, 'X-Saturn-Auth-Id': 'constructor' }), 'estimate', 'nobody else')
  await world.setTerms(
    [
      { ...organization, abort: 'cancel' },
      { scope: 'group', subject: 'group-1', abort: 'drain' },
    ],
    owners,
  )
  assert.deepEqual([await policyOf(GROUP), await policyOf(IDENTITY)], ['drain', 'cancel'])
  const own = { scope: 'credential', subject: 'auth-1' } as const
  await world.setTerms(
    [
      { ...own, maxConcurrent: 9 },
      { scope: 'group', subject: 'group-1', abort: 'drain' },
    ],
    owners,
  )
  assert.equal(await policyOf(GROUP), 'drain', 'a credential that says something else leaves this to its group')
  await world.setTerms(
    [
      { ...own, abort: 'cancel' },
      { scope: 'group', subject: 'group-1', abort: 'drain' },
    ],
    owners,
  )
  assert.equal(await policyOf(GROUP), 'cancel')
  const { key, authId } = world.addKey()
  await world.setTerms([{ scope: 'organization', subject: '018f0000-0000-7000-8000-000000000001', abort: 'drain' }])
  assert.equal(await policyOf({ Authorization: `Bearer ${key}` }), 'drain', 'a key says itself whose it is')
  assert.equal(await policyOf({ ...IDENTITY, 'X-Saturn-Auth-Id': authId }), 'drain', 'also where an edge names it')
})

test('a drain is bounded in tokens: beyond them the engine is cut off, and what passed is estimated', async (t) => {
  const upstream = await rawUpstream(t)
  const world = await startTestGateway(t, { upstream: upstream.url })
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', drainTokens: 5 }])
  const client = await watch(t, world.port, { body: STREAM })
  const wire = await upstream.asked()
  wire.socket.write(Buffer.concat([HEAD, chunk(EVENTS.content('a').repeat(3))]))
  await client.sees('"a"')
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  wire.socket.write(chunk(EVENTS.content('b').repeat(5)))
  wire.socket.write(chunk(EVENTS.content('c')))
  await wire.isClosed()
  const record = await world.record()
  // With five more it went on, with the sixth it ended.
  assert.deepEqual([record.outcome, record.provenance, record.completionTokens], ['aborted', 'estimated', 9])
})

test('"estimate" does not charge for a request that no engine was given', async (t) => {
  const upstream = await rawUpstream(t)
  const route = { upstream: { origin: upstream.url, connectionsMax: 1 } }
  const world = await startTestGateway(t, { upstream: upstream.url, route, abort: 'estimate' })
  const first = await watch(t, world.port, { body: STREAM })
  await upstream.asked()
  const second = await watch(t, world.port, { body: STREAM })
  await until('both are admitted', async () => (await world.intents()).length === 2)
  second.socket.destroy()
  const waiting = await world.record()
  assert.deepEqual([waiting.outcome, waiting.provenance, waiting.promptTokens, waiting.meters], ['aborted', 'unknown', null, {}])
  first.socket.destroy()
  const sent = (await world.records(2)).at(-1)
  assert.deepEqual([sent?.outcome, sent?.provenance, sent?.completionTokens], ['aborted', 'estimated', 0])
})

test('more requests at once than its terms allow are 429 with Retry-After, before any work and for this credential alone', async (t) => {
  const world = await start(t)
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', maxConcurrent: 2, abort: 'cancel' }])
  const clients = [await watch(t, world.port, { body: STREAM }), await watch(t, world.port, { body: STREAM })]
  await until('both are served', () => world.engine.seen.length === 2)
  const refused = await ask(world.url)
  assert.deepEqual([refused.status, codeOf(refused), refused.headers['retry-after']], [429, 'concurrency_limit_exceeded', '1'])
  assert.deepEqual([(await world.intents()).length, world.engine.seen.length], [2, 2], 'it left no record, and no engine saw it')
  assert.match(world.meters.render(), /refused_total\{reason="concurrency"\} 1/)
  const other = await ask(world.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'auth-2' }, body: SHORT })
  assert.equal(other.status, 200)
  clients[0]?.socket.destroy()
  await world.records(2)
  assert.equal((await ask(world.url, { body: SHORT })).status, 200, 'there is room again')
})

test('who leaves takes up his place for as long as the engine is read on, and not longer', async (t) => {
  const wires: Wire[] = []
  const upstream = await rawUpstream(t, (wire) => void wires.push(wire))
  const world = await startTestGateway(t, { upstream: upstream.url })
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', maxConcurrent: 1 }])
  const client = await watch(t, world.port)
  await until('the engine has it', () => wires.length === 1)
  client.socket.destroy()
  await until('the gateway has noticed', () => world.meters.render().includes('relay_clients_gone_total 1'))
  assert.equal((await ask(world.url)).status, 429)
  wires[0]?.socket.write(fixedReply(jsonChat(9, 7), { fields: 'Connection: close\r\n' }))
  assert.equal((await world.record()).outcome, 'aborted')
  const next = ask(world.url)
  await until('the engine has the next', () => wires.length === 2)
  wires[1]?.socket.write(fixedReply(jsonChat(9, 7), { fields: 'Connection: close\r\n' }))
  assert.equal((await next).status, 200)
})

test('a client that asks one request after the other is never refused by a limit of one at once', async (t) => {
  const world = await start(t, { tokens: 3, tokenDelayMs: 0 })
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', maxConcurrent: 1 }])
  for (const stream of [true, false]) {
    for (let turn = 0; turn < 20; turn += 1) {
      const client = await watch(t, world.port, { body: { ...CHAT, stream } })
      // As the official clients do: they have what they want before the connection has ended.
      await client.sees(stream ? '[DONE]' : '"usage"')
      if (!stream) await client.sees('}}')
      assert.ok(client.text.startsWith('HTTP/1.1 200'), client.text)
    }
  }
})

test("a request whose body never comes takes nobody's place", async (t) => {
  const world = await start(t, { tokens: 3 })
  await world.setTerms([{ scope: 'credential', subject: 'auth-1', maxConcurrent: 1 }])
  const lines = Object.entries(IDENTITY).map(([name, value]) => `${name}: ${value}\r\n`)
  const idle: Wire = await watch(t, world.port, { method: 'GET', path: '/v1/models', body: '' })
  idle.socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n${lines.join('')}Content-Length: 100\r\n\r\n{`)
  assert.equal((await ask(world.url)).status, 200)
  assert.equal((await ask(world.url)).status, 200)
})
