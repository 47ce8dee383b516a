import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Budget } from '@ascribe/admission'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import type { Route } from '../src/index.ts'
import { startControlled } from './controlled.ts'
import type { ControlledGateway } from './controlled.ts'
import { CHAT, IDENTITY, ask, startTestGateway, until, watch } from './support.ts'
import type { Answer } from './support.ts'

const BUDGET: Budget = { id: 'b', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' }
/** What CHAT reserves: its bytes, 256 for a template, and 5. */
const RESERVED = JSON.stringify(CHAT).length + 256 + 5

type Controlled = ControlledGateway & { readonly engine: SandboxEngine }

async function controlled(t: TestContext, { faults = {}, route }: { faults?: Faults; route?: Partial<Route> } = {}): Promise<Controlled> {
  const engine = await startEngine({ faults: { tokens: 5, ...faults } })
  t.after(() => engine.close())
  return { ...(await startControlled(t, { upstream: engine.url, ...(route !== undefined && { route }) })), engine }
}

const errorOf = (answer: Answer): { code: string; type: string; message: string; param: string | null } =>
  (JSON.parse(answer.text) as { error: { code: string; type: string; message: string; param: string | null } }).error

test('codegraff-269, apisix-13755, ai-gateway-2394: an exhausted budget answers 402, a reserved one 429 with Retry-After, before any upstream work', async (t) => {
  const { gateway, engine, rule } = await controlled(t, { faults: { hangAt: 'before-head' } })
  await rule({ budgets: [BUDGET] }, RESERVED + 10)
  const open = await watch(t, gateway.port)
  await until('it is held', () => engine.seen.length === 1)
  const reserved = await ask(gateway.url)
  assert.deepEqual([reserved.status, errorOf(reserved).code], [429, 'budget_reserved'])
  assert.equal(reserved.headers['retry-after'], '1')
  assert.match(String(reserved.headers['retry-after-ms']), /^\d{3}$/)
  const large = await ask(gateway.url, { body: { ...CHAT, max_tokens: 500 } })
  assert.deepEqual([large.status, errorOf(large).code, errorOf(large).type], [402, 'insufficient_quota', 'insufficient_quota'])
  assert.match(errorOf(large).message, /daily budget of this API key/)
  assert.equal(large.headers['retry-after'], undefined)
  assert.equal(engine.seen.length, 1, 'refused requests never reach the engine')
  assert.equal((await gateway.intents()).length, 1, 'and leave no record')
  assert.match(gateway.meters.render(), /refused_total\{reason="budget_exhausted"\} 1/)
  open.socket.destroy()
})

test('litellm-27639, litellm-38111, tensorzero-3751: every way out settles or releases its hold', async (t) => {
  const { gateway, engine, rule, told } = await controlled(t)
  await rule({ budgets: [BUDGET] }, 100_000)
  const used = async (): Promise<number> => Number((await told())?.used ?? -1)
  let records = 0
  const settledAt = async (what: string): Promise<void> => {
    records += 1
    const all = await gateway.records(records)
    const tokens = all.reduce((sum, { meters }) => sum + Object.values(meters).reduce((total, count) => total + count, 0), 0)
    await until(`${what}: ${tokens} are used, not ${await used()}`, async () => (await used()) === tokens)
  }
  await ask(gateway.url)
  await settledAt('a whole reply')
  await ask(gateway.url, { body: { ...CHAT, stream: true } })
  await settledAt('a stream')
  engine.setFaults({ status: 500 })
  await ask(gateway.url)
  await settledAt('an error of the upstream')
  engine.setFaults({ tokens: 5, resetAt: 'before-finish' })
  await ask(gateway.url, { body: { ...CHAT, stream: true } })
  await settledAt('a reply that breaks off')
  engine.setFaults({ resetAt: 'before-head' })
  await ask(gateway.url)
  await settledAt('no reply at all')
  engine.setFaults({ tokens: 5, tokenDelayMs: 20 })
  const leaving = await watch(t, gateway.port, { body: { ...CHAT, stream: true } })
  await leaving.sees('data:')
  leaving.socket.destroy()
  await settledAt('a client that leaves')
  engine.setFaults({ tokens: 5, encoding: 'gzip' })
  await ask(gateway.url)
  await settledAt('a compressed reply')
})

test('a request that does not say how much it may generate is refused under a budget, unless its route does', async (t) => {
  const body = { model: CHAT.model, messages: CHAT.messages }
  const strict = await controlled(t)
  await strict.rule({ budgets: [BUDGET] }, 10_000)
  const refused = await ask(strict.gateway.url, { body })
  assert.deepEqual([refused.status, errorOf(refused).code, errorOf(refused).param], [400, 'max_tokens_required', 'max_tokens'])
  assert.match(errorOf(refused).message, /max_output_tokens/)
  assert.equal((await ask(strict.gateway.url, { body, headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'auth-2' } })).status, 200)
  const best = { model: CHAT.model, prompt: 'x', max_tokens: 1, best_of: 5 }
  assert.equal(errorOf(await ask(strict.gateway.url, { path: '/v1/completions', body: best })).code, 'best_of_unsupported')
  const stated = await controlled(t, { route: { maxOutputTokens: 50 } })
  await stated.rule({ budgets: [BUDGET] }, 400)
  assert.equal((await ask(stated.gateway.url, { body })).status, 200)
  assert.equal((await ask(stated.gateway.url, { body: { ...body, n: 3 } })).status, 402, 'each choice may come to it')
})

test('a request never passes a budget by a limit that its engine may take for none', async (t) => {
  const { gateway, engine, rule } = await controlled(t, { route: { maxOutputTokens: 5 } })
  await rule({ budgets: [BUDGET] }, 10_000)
  const asked: [object, string][] = [
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_completion_tokens: 1, max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: '100000' }, 'max_tokens'],
    [{ max_tokens: 1, n_predict: -1 }, 'n_predict'],
    [{ Max_Tokens: 100_000 }, 'max_tokens'],
  ]
  for (const [fields, member] of asked) {
    const answer = await ask(gateway.url, { body: { model: CHAT.model, messages: CHAT.messages, ...fields } })
    assert.deepEqual([answer.status, errorOf(answer).code, errorOf(answer).param], [400, 'max_tokens_required', member])
  }
  const larger = await ask(gateway.url, {
    body: { model: CHAT.model, messages: CHAT.messages, max_completion_tokens: 1, max_tokens: 20_000 },
  })
  assert.equal(larger.status, 402, 'the larger of two limits is reserved')
  assert.equal(engine.seen.length, 0)
})

test('a budget in money reserves by the prices of the snapshot, and fails closed without any', async (t) => {
  const { gateway, rule, told } = await controlled(t)
  const money: Budget = { ...BUDGET, unit: 'USD' }
  await rule({ budgets: [money] }, 10_000)
  const refused = await ask(gateway.url)
  assert.deepEqual([refused.status, errorOf(refused).code], [403, 'budget_without_prices'])
  const prices = [{ currency: 'USD', models: { [CHAT.model]: { input_tokens: '2', cached_input_tokens: '1', output_tokens: '10' } } }]
  await rule({ budgets: [{ ...money, id: 'c' }], prices }, 20_000)
  assert.equal((await ask(gateway.url)).status, 200)
  const { meters } = await gateway.record()
  const cost = 2 * (meters['input_tokens'] ?? 0) + (meters['cached_input_tokens'] ?? 0) + 10 * (meters['output_tokens'] ?? 0)
  await until('it is told', async () => (await told())?.used === String(cost))
})

test('bifrost-2873: every billable path obeys budgets, and so does an organization that only the directory knows', async (t) => {
  const { gateway, rule } = await controlled(t)
  const budget: Budget = { ...BUDGET, scope: 'organization', subject: 'acme' }
  await rule({ budgets: [budget], subjects: { 'auth-1': { organizationId: 'acme' } } }, 1)
  for (const [path, body] of [
    ['/v1/chat/completions', CHAT],
    ['/v1/completions', { model: CHAT.model, prompt: 'x', max_tokens: 1 }],
    ['/v1/embeddings', { model: 'sandbox-embed', input: 'x' }],
  ] as const) {
    assert.equal((await ask(gateway.url, { path, body })).status, 402, path)
  }
  assert.equal((await ask(gateway.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'other' } })).status, 200)
})

test('an edge that names the auth id of a key never takes it past the budgets and limits of its organization', async (t) => {
  const { gateway, engine, rule } = await controlled(t)
  const { authId } = gateway.addKey()
  const headers = { ...IDENTITY, 'X-Saturn-Auth-Id': authId }
  const organization = '018f0000-0000-7000-8000-000000000001'
  await rule({ budgets: [{ ...BUDGET, scope: 'organization', subject: organization }] }, 1)
  await until('the key is known', async () => (await ask(gateway.url, { headers })).status === 402)
  const seen = engine.seen.length
  assert.equal((await ask(gateway.url, { headers })).status, 402)
  assert.equal(engine.seen.length, seen)
})

test('a limited key gets x-ratelimit headers on success, on failure and on 429, and never those of the upstream', async (t) => {
  const { gateway, engine, rule } = await controlled(t)
  await rule({ limits: [{ scope: 'credential', subject: '*', requestsPerMinute: 4, tokensPerMinute: 100_000 }] })
  const fine = await ask(gateway.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'key-a' } })
  assert.equal(fine.headers['x-ratelimit-limit-requests'], '4')
  assert.equal(fine.headers['x-ratelimit-remaining-requests'], '3')
  assert.match(String(fine.headers['x-ratelimit-reset-requests']), /^1[0-5](\.\d+)?s$/)
  assert.equal(fine.headers['x-ratelimit-limit-tokens'], '100000')
  engine.setFaults({ resetAt: 'before-head' })
  const headers = { ...IDENTITY, 'X-Saturn-Auth-Id': 'key-a' }
  assert.equal((await ask(gateway.url, { headers })).headers['x-ratelimit-remaining-requests'], '2')
  engine.setFaults({ tokens: 5 })
  for (let request = 0; request < 2; request += 1) await ask(gateway.url, { headers })
  const seen = engine.seen.length
  const limited = await ask(gateway.url, { headers })
  assert.deepEqual([limited.status, errorOf(limited).code, errorOf(limited).type], [429, 'rate_limit_exceeded', 'requests'])
  assert.equal(limited.headers['x-ratelimit-remaining-requests'], '0')
  assert(Number(limited.headers['retry-after']) <= 15 && Number(limited.headers['retry-after']) >= 1)
  assert.equal(engine.seen.length, seen)
  assert.equal((await ask(gateway.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'key-b' } })).status, 200, 'each key has its own')
})

test('rules that cannot be read let nothing through; the last good ones stay in force when later ones are broken', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ascribe-admission-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const places = { snapshot: join(dir, 'admission.json'), reports: join(dir, 'leases') }
  await writeFile(places.snapshot, '{"half":')
  const broken = await startTestGateway(t, { admission: places })
  const refused = await ask(broken.url)
  assert.deepEqual([refused.status, errorOf(refused).code], [503, 'admission_unavailable'])
  await writeFile(
    places.snapshot,
    JSON.stringify({ ledger: 'l', version: 1, limits: [{ scope: 'credential', subject: '*', requestsPerMinute: 9 }] }),
  )
  await until('it serves', async () => (await ask(broken.url)).headers['x-ratelimit-limit-requests'] === '9')
  await writeFile(places.snapshot, '}')
  await until('it has seen that', () => broken.log.filter(({ message }) => message.startsWith('admission snapshot')).length === 2)
  assert.equal((await ask(broken.url)).headers['x-ratelimit-limit-requests'], '9')
})

test('a snapshot that a newer settler writes in another way never ends a gateway, and lets nothing through when it is the first', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'ascribe-admission-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const places = { snapshot: join(dir, 'admission.json'), reports: join(dir, 'leases') }
  const odd = { ledger: 'l', version: 2, prices: [{ currency: 'USD', models: { m: { input_tokens: '1e-6' } } }] }
  const limits = [{ scope: 'credential', subject: '*', requestsPerMinute: 9 }]
  await writeFile(places.snapshot, JSON.stringify(odd))
  const gateway = await startTestGateway(t, { admission: places })
  assert.equal((await ask(gateway.url)).status, 503)
  await writeFile(places.snapshot, JSON.stringify({ ledger: 'l', version: 1, limits }))
  await until('it serves', async () => (await ask(gateway.url)).headers['x-ratelimit-limit-requests'] === '9')
  await writeFile(places.snapshot, JSON.stringify({ ...odd, version: 3 }))
  await until('it has seen that', () => gateway.log.filter(({ message }) => message.startsWith('admission snapshot')).length === 2)
  assert.equal((await ask(gateway.url)).headers['x-ratelimit-limit-requests'], '9')
})
