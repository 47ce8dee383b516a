import assert from 'node:assert/strict'
import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { after, before, test } from 'node:test'
import { organization32 } from '@ascribe/identity/view-as'
import { CONSOLE, CONSOLES, NOBODY, NORA, OLGA, openOperators, refusal, send } from './operators-support.ts'
import type { Operators } from './operators-support.ts'
import { createCustomer } from './support.ts'
import type { Customer } from './support.ts'

// billing-view.md 5.2, row by row, over HTTP: what a backend behind Teleport must check.

const operators: Operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
const { db, internal, teleport } = operators
const PATH = '/api/organization'
let acme: Customer
let other: Customer

before(async () => {
  acme = await createCustomer(db, 'Acme')
  other = await createCustomer(db, 'Other')
  assert.equal((await operators.begin(OLGA, acme.id)).status, 201)
})

const ask = (headers: readonly string[], method = 'GET', path = PATH): ReturnType<typeof send> =>
  send(internal + path, { headers: [...headers], method })

test('5.2.2 exactly one assertion: none, two, empty and with blanks are 401, whatever else identifies the caller', async () => {
  const [name = '', token = ''] = await operators.as(OLGA)
  const accept = ['accept', acme.id]
  assert.equal((await ask([name, token, ...accept])).status, 200)
  const refused: readonly (readonly string[])[] = [
    [],
    [name, token, name, token],
    [name, token, 'Teleport-JWT-Assertion', token],
    [name, `${token},${token}`],
    [name, `${token} ${token}`],
    [name, `Bearer ${token}`],
    [name, ''],
    // 5.2.3 no other identity is read.
    ['authorization', `Bearer ${token}`],
    ['cf-access-token', token],
    ['cookie', `Teleport-Jwt-Assertion=${token}`],
    ['authorization', `Bearer ${acme.billing.key}`],
    ['x-forwarded-user', OLGA],
    ['x-materialize-user', 'mz_support'],
  ]
  for (const headers of refused)
    assert.deepEqual(refusal(await ask([...headers, ...accept])), [401, 'unauthenticated'], headers.join(' ').slice(0, 60))
})

test('5.2.2 forged assertions are 401, and one without the role of a viewer is 403', async () => {
  const [name = ''] = await operators.as(OLGA)
  const good = teleport.assertion(OLGA, { app: 'global-api' })
  const [head = '', payload = '', signature = ''] = good.split('.')
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const decoded = (text: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const withKey = (header: object, claims: object): string => {
    const text = `${encode(header)}.${encode(claims)}`
    return `${text}.${sign('sha256', Buffer.from(text), createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))).toString('base64url')}`
  }
  const jwks = (await (await fetch(teleport.jwksUrl)).json()) as { keys: { n: string }[] }
  const hmac = `${encode({ alg: 'HS256', typ: 'JWT' })}.${payload}`
  const forged: readonly (readonly [string, string])[] = [
    ['alg none', `${encode({ alg: 'none' })}.${payload}.`],
    ['alg None with the signature', `${encode({ alg: 'None' })}.${payload}.${signature}`],
    [
      'HS256 with the public key',
      `${hmac}.${createHmac('sha256', jwks.keys[0]?.n ?? '')
        .update(hmac)
        .digest('base64url')}`,
    ],
    ['another key', withKey(decoded(head), decoded(payload))],
    ['another kid', withKey({ ...decoded(head), kid: 'nobody' }, decoded(payload))],
    ['a key in its head', withKey({ ...decoded(head), jku: teleport.jwksUrl }, decoded(payload))],
    ['a longer life', `${head}.${encode({ ...decoded(payload), exp: 9_999_999_999 })}.${signature}`],
    ['a shorter signature', `${head}.${payload}.${signature.slice(0, -4)}`],
    ['no signature', `${head}.${payload}.`],
    ['no token', 'x'],
    ['not base64', `${head}.%%%.${signature}`],
  ]
  for (const [what, token] of forged) assert.deepEqual(refusal(await ask([name, token, 'accept', acme.id])), [401, 'unauthenticated'], what)
  for (const faults of [
    { wrongAudience: true },
    { wrongIssuer: true },
    { wrongKey: true },
    { wrongSubject: true },
    { expired: true },
    { clockSkewMs: 120_000 },
  ]) {
    const token = teleport.assertion(OLGA, { app: 'global-api', faults })
    assert.deepEqual(refusal(await ask([name, token, 'accept', acme.id])), [401, 'unauthenticated'], JSON.stringify(faults))
  }
  // Within the skew it is taken.
  const early = teleport.assertion(OLGA, { app: 'global-api', faults: { clockSkewMs: 5000 } })
  assert.equal((await ask([name, early, 'accept', acme.id])).status, 200)
  const noRoles = teleport.assertion(OLGA, { app: 'global-api', faults: { noRoles: true } })
  assert.deepEqual(refusal(await ask([name, noRoles, 'accept', acme.id])), [403, 'insufficient_role'])
  assert.deepEqual(refusal(await operators.read(NORA, acme.id, PATH)), [403, 'insufficient_role'])
  // A large one is no reason for 431 (teleport#21731).
  const large = teleport.assertion(OLGA, { app: 'global-api', faults: { traitBytes: 30_000 } })
  assert.equal((await ask([name, large, 'accept', acme.id])).status, 200)
})

test('5.2.4, R15: exactly one organization, in any of three ways; disagreement, repetition and near misses are refused', async () => {
  const who = await operators.as(OLGA)
  const header = 'x-materialize-organization-id'
  const taken: readonly (readonly string[])[] = [
    ['accept', acme.id],
    ['accept', acme.id.toUpperCase()],
    ['accept', `application/vnd.ascribe+json;org=${acme.id}`],
    [header, acme.id],
    ['accept', '*/*', header, acme.id],
    ['accept', acme.id, header, acme.id],
  ]
  for (const headers of taken) assert.equal((await ask([...who, ...headers])).status, 200, headers.join(' '))
  const refused: readonly (readonly [readonly string[], string])[] = [
    [[], 'organization_required'],
    [['accept', '*/*'], 'organization_required'],
    [['accept', 'application/json'], 'organization_required'],
    [['accept', acme.id, header, other.id], 'organization_ambiguous'],
    [['accept', other.id, header, acme.id], 'organization_ambiguous'],
    [['accept', acme.id, 'accept', acme.id], 'organization_ambiguous'],
    [['accept', acme.id, 'accept', other.id], 'organization_ambiguous'],
    [[header, acme.id, header, acme.id], 'organization_ambiguous'],
    [[header, `${acme.id}, ${other.id}`], 'invalid_request'],
    [['accept', `${acme.id}, ${other.id}`], 'invalid_request'],
    [['accept', `${acme.id};q=1`], 'invalid_request'],
    [['accept', `application/vnd.ascribe+json;org=${acme.id};org=${other.id}`], 'invalid_request'],
    [[header, 'x'], 'invalid_request'],
  ]
  for (const [headers, code] of refused) {
    const [status, given] = refusal(await ask([...who, ...headers]))
    assert.deepEqual([status, given], [400, code], headers.join(' '))
  }
  // A path that names one must agree, and so must an origin.
  const statement = `/v1/organizations/${other.id}/statement?month=2026-03`
  assert.deepEqual(refusal(await ask([...who, 'accept', acme.id], 'GET', statement)), [400, 'organization_ambiguous'])
  const own = CONSOLES.replace('{org32}', organization32(acme.id))
  const foreign = CONSOLES.replace('{org32}', organization32(other.id))
  assert.equal((await ask([...who, 'accept', acme.id, 'origin', own])).status, 200)
  const disagreeing = await ask([...who, 'accept', acme.id, 'origin', foreign])
  assert.deepEqual(refusal(disagreeing), [400, 'organization_ambiguous'])
  assert.equal(disagreeing.headers['access-control-allow-origin'], foreign)
})

test('5.2.4 an organization that is not there and one that may not be seen are one answer, and each leaves a line somewhere', async () => {
  await using some = await openOperators({
    viewers: [{ roles: ['billing-viewer'], organizations: { ids: [NOBODY] }, search: false, impliedActing: false }],
  })
  const { id } = await createCustomer(some.db, 'Hidden')
  const [hidden, missing] = [await some.read(OLGA, id, PATH), await some.read(OLGA, crypto.randomUUID(), PATH)]
  assert.deepEqual(
    [refusal(hidden), refusal(missing)],
    [
      [404, 'organization_not_found'],
      [404, 'organization_not_found'],
    ],
  )
  const told = ({ text, headers }: typeof hidden): string => text.replace(headers['x-request-id'] ?? '', '')
  assert.equal(told(hidden), told(missing))
  assert.deepEqual(
    (await some.log(id)).map(({ kind, status }) => [kind, status]),
    [['refusal', 404]],
  )
  const search = await send(`${some.internal}/v1/operator/organizations?q=Hidden`, { headers: await some.as(OLGA) })
  assert.deepEqual(refusal(search), [403, 'insufficient_role'])
})

test('5.2.5, R2: only GET and HEAD, before any work: methods, overrides, and paths that nobody serves', async () => {
  const who = [...(await operators.as(OLGA)), 'accept', acme.id]
  const before = (await operators.log(acme.id)).length
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'MKCOL', 'TRACE', 'QUERY']) {
    for (const path of [PATH, '/api/organization/onboarded', '/v1/nothing', `/v1/organizations/${acme.id}/credentials`, '/redirect']) {
      const reply = await ask(who, method, path)
      assert.deepEqual(refusal(reply), [405, 'method_not_allowed'], `${method} ${path}`)
      assert.match(reply.headers['allow'] ?? '', /GET, HEAD, OPTIONS/)
    }
    // Before the origin, before the assertion.
    assert.equal((await ask(['origin', 'https://evil.example'], method)).status, 405)
  }
  assert.deepEqual(refusal(await ask([...who, 'x-http-method-override', 'DELETE', 'x-method-override', 'POST'], 'PUT')), [
    405,
    'method_not_allowed',
  ])
  assert.equal((await operators.log(acme.id)).length, before)
  assert.deepEqual(refusal(await ask(who, 'GET', '/v1/acting-sessions')), [405, 'method_not_allowed'])
  const head = await ask(who, 'HEAD')
  assert.deepEqual([head.status, head.text], [200, ''])
  assert.equal((await operators.log(acme.id))[0]?.method, 'HEAD')
})

test('R17: Origin and Sec-Fetch-Site are checked before any work, and a refused page leaves no line in the operator’s name', async () => {
  const who = [...(await operators.as(OLGA)), 'accept', acme.id]
  const before = (await operators.log(acme.id)).length
  const refused: readonly (readonly string[])[] = [
    ['origin', 'https://evil.example'],
    ['origin', 'null'],
    ['origin', `${CONSOLE}.evil.example`],
    ['origin', `${CONSOLE}:8443`],
    ['origin', `${CONSOLE}/`],
    ['origin', CONSOLE.replace('https', 'http')],
    ['origin', CONSOLE.toUpperCase()],
    ['origin', CONSOLE, 'origin', 'https://evil.example'],
    ['origin', CONSOLES.replace('{org32}', organization32(acme.id)).replace('-0.', '-0x')],
    ['sec-fetch-site', 'cross-site'],
    ['sec-fetch-site', 'same-site'],
    ['sec-fetch-site', 'cross-site', 'sec-fetch-mode', 'navigate'],
    ['sec-fetch-site', 'none', 'sec-fetch-site', 'cross-site'],
  ]
  for (const headers of refused) {
    const reply = await ask([...who, ...headers])
    assert.deepEqual(refusal(reply), [403, 'origin_refused'], headers.join(' '))
    assert.equal(reply.headers['access-control-allow-origin'], undefined, headers.join(' '))
  }
  assert.equal((await operators.log(acme.id)).length, before)
  for (const headers of [
    ['sec-fetch-site', 'same-origin'],
    ['sec-fetch-site', 'none'],
    ['origin', CONSOLE, 'sec-fetch-site', 'cross-site'],
    [],
  ])
    assert.equal((await ask([...who, ...headers])).status, 200, headers.join(' '))
})

test('CORS with credentials on every status for a page on the list, and on none for another', async () => {
  const who = await operators.as(OLGA)
  const cases: readonly (readonly [readonly string[], string, string, number])[] = [
    [[...who, 'accept', acme.id], 'GET', PATH, 200],
    [[...who], 'GET', PATH, 400],
    [[], 'GET', PATH, 401],
    [[...who, 'accept', other.id], 'GET', PATH, 403],
    [[...who, 'accept', NOBODY], 'GET', PATH, 404],
    [[...who, 'accept', acme.id], 'GET', '/nothing', 404],
    [[...who, 'accept', acme.id], 'DELETE', PATH, 405],
  ]
  for (const [headers, method, path, status] of cases) {
    const reply = await ask([...headers, 'origin', CONSOLE], method, path)
    assert.deepEqual(
      [reply.status, reply.headers['access-control-allow-origin'], reply.headers['access-control-allow-credentials']],
      [status, CONSOLE, 'true'],
    )
  }
  const preflight = (origin: string): ReturnType<typeof send> =>
    ask(
      ['origin', origin, 'access-control-request-method', 'GET', 'access-control-request-headers', 'x-materialize-organization-id'],
      'OPTIONS',
    )
  const answered = await preflight(CONSOLE)
  assert.deepEqual(
    [answered.status, answered.text, answered.headers['access-control-allow-origin'], answered.headers['access-control-allow-methods']],
    [204, '', CONSOLE, 'GET, HEAD, OPTIONS'],
  )
  assert.match(answered.headers['access-control-allow-headers'] ?? '', /X-Materialize-Organization-Id/)
  const refused = await preflight('https://evil.example')
  assert.deepEqual([refusal(refused), refused.headers['access-control-allow-origin']], [[403, 'origin_refused'], undefined])
})

test('an operator may ask only so much, and others are not slowed by it', async () => {
  await using slow = await openOperators({ limits: { ratePerSecond: 1, burst: 5 }, clock: () => 1_790_000_000_000 })
  const acting = await createCustomer(slow.db, 'Acme')
  const replies = await Promise.all(Array.from({ length: 8 }, () => slow.read(OLGA, acting.id, PATH)))
  const limited = replies.filter(({ status }) => status === 429)
  assert.equal(limited.length, 3)
  for (const reply of limited) assert.deepEqual([refusal(reply), reply.headers['retry-after']], [[429, 'too_many_requests'], '1'])
  assert.equal((await slow.read('otto@ops.example', acting.id, PATH)).status, 403)
})
