import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import { getOrganization } from '@ascribe/contract/reads'
import { createKeySet } from '@ascribe/identity/jwt'
import { createAssertionVerifier, viewerRole } from '@ascribe/identity/teleport'
import { organization32 } from '@ascribe/identity/view-as'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { LogFields, Logger } from '@ascribe/kit'
import { createTrail, decideSupportRequest, listSupportRequests, setSupportAccess } from '@ascribe/ledger'
import type { SupportRequest } from '@ascribe/ledger'
import { StreamReply, organizationRoute } from '../src/handler.ts'
import { startListener } from '../src/http/listener.ts'
import { createFindSession } from '../src/internal/find-session.ts'
import { createInternalGate } from '../src/internal/gate.ts'
import { AUDIENCE, CONSOLES, NOBODY, OLGA, OTTO, openOperators, refusal, send, signer } from './operators-support.ts'
import type { Answer, Operators } from './operators-support.ts'
import { createCustomer, settle, usageRecord } from './support.ts'

const operators = await openOperators()
after(() => operators[Symbol.asyncDispose]())
const { db, internal } = operators
const FORM = ['content-type', 'application/x-www-form-urlencoded']
const consoleOf = (organization: string): string => CONSOLES.replace('{org32}', organization32(organization))

test('a page that is served for one organization never begins, ends or opens anything of another, though no header names one', async () => {
  const [acme, other] = [await createCustomer(db, 'Acme'), await createCustomer(db, 'Other')]
  const post = async (path: string, organization: string, origin: string): Promise<Answer> =>
    send(internal + path, {
      method: 'POST',
      headers: [...(await operators.as(OTTO)), 'origin', origin, ...FORM],
      body: String(new URLSearchParams({ organization, ...(path.endsWith('/end') ? {} : { reason: 'r', ticket: 't' }) })),
    })
  assert.deepEqual(refusal(await post('/v1/acting-sessions', other.id, consoleOf(acme.id))), [400, 'organization_ambiguous'])
  assert.deepEqual(await operators.log(other.id), [])
  assert.equal((await post('/v1/acting-sessions', other.id, consoleOf(other.id))).status, 201)
  assert.deepEqual(refusal(await post('/v1/acting-sessions/end', other.id, consoleOf(acme.id))), [400, 'organization_ambiguous'])
  assert.equal((await operators.read(OTTO, other.id, '/api/organization')).status, 200)
  const go = async (origin: string): Promise<Answer> =>
    send(`${internal}/redirect?to=${encodeURIComponent(`${consoleOf(other.id)}/internal-console`)}`, {
      headers: [...(await operators.as(OTTO)), 'origin', origin],
    })
  assert.deepEqual(refusal(await go(consoleOf(acme.id))), [400, 'organization_ambiguous'])
  assert.equal((await go(consoleOf(other.id))).status, 302)
})

test('a session that is refused never goes unseen by whom it was about: existing or not, one answer, and a line each', async () => {
  await using some = await openOperators({ viewers: [{ roles: ['billing-viewer'], organizations: { ids: [NOBODY] } }] })
  const { id } = await createCustomer(some.db, 'Hidden')
  const [hidden, missing] = [await some.begin(OLGA, id), await some.begin(OLGA, NOBODY)]
  assert.deepEqual([refusal(hidden), refusal(missing)], Array(2).fill([404, 'organization_not_found']))
  assert.deepEqual(
    (await some.log(id)).map(({ kind, status, actor, path }) => [kind, status, actor.id, path]),
    [['refusal', 404, OLGA, '/v1/acting-sessions']],
  )
})

test('a byte of a stream never leaves after the session it began in, whoever ended that, and the log says that it was cut off', async () => {
  await using trail = createTrail({ db, signer })
  let revoked = Promise.withResolvers<void>()
  async function* chunks(): AsyncGenerator<string, void, undefined> {
    yield 'before'
    await revoked.promise
    yield 'after'
  }
  const streamed = organizationRoute(
    getOrganization,
    async () => new StreamReply({ contentType: 'text/csv', chunks: chunks(), rows: () => 1 }),
  )
  const { teleport } = operators
  const keys = createKeySet({ name: 'teleport', jwksUrl: teleport.jwksUrl, logger: silentLogger })
  const viewers = [viewerRole('billing-viewer')]
  const deps = { db, trail, logger: silentLogger, meters: silentMeters, clock: Date.now }
  const gate = createInternalGate({
    ...deps,
    verifier: createAssertionVerifier({ issuer: teleport.issuer, audience: AUDIENCE, viewers, keys }),
    organizationFrom: ['accept'],
    allowOrigins: [],
    findSession: createFindSession({ ...deps, mode: 'required', ttlMs: 60_000 }),
    limit() {},
  })
  await using listener = await startListener(deps, { address: { host: '127.0.0.1', port: 0 }, gate, routes: [streamed] })
  const read = async (organization: string, whileSent: () => Promise<unknown>): Promise<readonly [end: string, text: string]> => {
    revoked = Promise.withResolvers<void>()
    const { promise, resolve } = Promise.withResolvers<string>()
    let text = ''
    const headers = ['host', 'x', ...(await operators.as(OLGA)), 'accept', organization]
    request(`${listener.url}/v1/organizations/${organization}`, { headers, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (part === 'before') void whileSent().then(() => revoked.resolve())
      })
      response.on('error', () => resolve('cut')).on('end', () => resolve('whole'))
    }).end()
    return [await promise, text]
  }
  const endOf = async (organization: string): Promise<unknown> => {
    for (;;) {
      const [line] = await operators.log(organization)
      if (line?.kind === 'stream_end') return line.detail?.['outcome']
    }
  }
  const byCustomer = (id: string): Promise<unknown> =>
    setSupportAccess(db, { organizationId: id, requireApproval: true, by: 'user:u', audit: async () => {} })
  // For another reason it has to be asked for anew.
  const byOperator = async (id: string): Promise<unknown> => {
    const headers = [...(await operators.as(OLGA)), 'sec-fetch-site', 'same-origin', ...FORM]
    await send(`${internal}/v1/acting-sessions/end`, { method: 'POST', headers, body: `organization=${id}` })
    return operators.begin(OLGA, id)
  }
  for (const end of [byCustomer, byOperator]) {
    const { id } = await createCustomer(db, 'Acme')
    await operators.begin(OLGA, id)
    assert.deepEqual(await read(id, () => end(id)), ['cut', 'before'], end.name)
    assert.equal(await endOf(id), 'aborted', end.name)
  }
  const { id } = await createCustomer(db, 'Acme')
  await operators.begin(OLGA, id)
  assert.deepEqual(await read(id, async () => {}), ['whole', 'beforeafter'])
  assert.equal(await endOf(id), 'completed')
})

test('a request for no host, or for two, is never answered with data, nor by anybody but us', async () => {
  const { id } = await createCustomer(db, 'Acme')
  await operators.begin(OLGA, id)
  const { port } = new URL(internal)
  const raw = async (version: string, hosts: readonly string[]): Promise<string> => {
    const [name = '', token = ''] = await operators.as(OLGA)
    const head = [`GET /api/organization HTTP/${version}`, `${name}: ${token}`, `Accept: ${id}`, ...hosts.map((host) => `Host: ${host}`)]
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => (text += part))
    socket.on('close', () => resolve(text)).on('error', reject)
    socket.write([...head, 'Connection: close', '', ''].join('\r\n'))
    return promise
  }
  for (const [version, hosts] of [
    ['1.1', []],
    ['1.1', ['a', 'b']],
    ['1.1', ['a', 'a']],
    ['1.0', ['a', 'b']],
  ] as const) {
    const reply = await raw(version, hosts)
    assert.match(reply, /^HTTP\/1\.1 400 /, `${version} ${hosts.join()}`)
    assert.match(reply, /cache-control: private, no-store\r\n/i)
    assert.match(reply, /vary: Origin, Accept,/i)
    assert.match(reply, /"code":"invalid_request"/)
    assert.doesNotMatch(reply, /Acme/)
  }
  assert.match(await raw('1.1', ['a']), /Acme/)
  assert.match(await raw('1.0', []), /Acme/)
})

test('who was told no is never asked again by a page that just loads (--acting implied), and is by who says why', async () => {
  await using implied = await openOperators({ acting: 'implied' })
  const { id: organizationId } = await createCustomer(implied.db, 'Acme')
  const by = { organizationId, by: 'user:u', audit: async () => {} }
  const requests = async (): Promise<readonly SupportRequest[]> => {
    const page = await listSupportRequests(implied.db, { organizationId })
    assert(page !== 'bad_cursor')
    return page.requests
  }
  await setSupportAccess(implied.db, { ...by, requireApproval: true })
  const look = (): Promise<Answer> => implied.read(OLGA, organizationId, '/api/organization')
  for (let turn = 0; turn < 3; turn += 1) assert.deepEqual(refusal(await look()), [403, 'approval_required'])
  const [asked, ...more] = await requests()
  assert(asked !== undefined && more.length === 0)
  // One line of the question, and of each look that was refused; not the question once more with each.
  const kinds = (await implied.log(organizationId)).map(({ kind }) => kind)
  assert.deepEqual(kinds.toSorted(), ['refusal', 'refusal', 'refusal', 'session'])
  await decideSupportRequest(implied.db, { ...by, requestId: asked.id, decision: 'refuse' })
  for (let turn = 0; turn < 2; turn += 1) assert.deepEqual(refusal(await look()), [403, 'acting_session_ended'])
  assert.deepEqual(
    (await requests()).map(({ state }) => state),
    ['refused'],
  )
  assert.deepEqual(refusal(await implied.begin(OLGA, organizationId)), [403, 'approval_required'])
  assert.deepEqual(
    (await requests()).map(({ state, reason }) => [state, reason]),
    [
      ['pending', 'a question of hers'],
      ['refused', 'implied by sign-in'],
    ],
  )
})

test('R27: what an operator exports is never without a mark of who took it; what the customer exports has none', async () => {
  const customer = await createCustomer(db, 'Acme')
  await settle(db, [usageRecord({ authId: customer.billing.authId })])
  await operators.begin(OLGA, customer.id)
  for (const [format, column] of [
    ['csv', 'exported_by'],
    ['focus', 'x_ExportedBy'],
  ] as const) {
    const path = `/v1/organizations/${customer.id}/exports/charges?from=2026-03-01&to=2026-03-31&format=${format}`
    const theirs = await send(operators.api + path, { headers: ['authorization', `Bearer ${customer.billing.key}`] })
    const taken = await operators.read(OLGA, customer.id, path)
    const [header = '', ...rows] = theirs.text.split('\r\n').slice(0, -1)
    assert.ok(rows.length >= 3 && !theirs.text.includes('support:'))
    const mark = `"support: ${OLGA}, request ${taken.headers['x-request-id'] ?? ''}"`
    assert.equal(taken.text, [`${header},${column}`, ...rows.map((row) => `${row},${mark}`), ''].join('\r\n'))
  }
})

test('a look-up never finds what the operator may not view', async () => {
  await using some = await openOperators({ viewers: [{ roles: ['billing-viewer'], organizations: { ids: [NOBODY] } }] })
  const found = async (by: Operators): Promise<readonly string[]> => {
    const reply = await send(`${by.internal}/v1/operator/organizations?q=Bounded`, { headers: await by.as(OLGA) })
    return (JSON.parse(reply.text) as { data: { name: string }[] }).data.map(({ name }) => name)
  }
  for (const { db: each } of [operators, some]) await createCustomer(each, 'Bounded')
  assert.deepEqual([await found(operators), await found(some)], [['Bounded'], []])
})

test('R10: a line of the log about an organization is never without the operator, and none has what was asked or shown', async () => {
  const lines: { readonly message: string; readonly fields: LogFields }[] = []
  const keep = (more: LogFields): Logger => {
    const note = (message: string, fields: LogFields = {}): void => void lines.push({ message, fields: { ...more, ...fields } })
    return { debug: note, info: note, warn: note, error: note, child: (fields) => keep({ ...more, ...fields }) }
  }
  await using some = await openOperators({ logger: keep({}) })
  const { id } = await createCustomer(some.db, 'Acme')
  await some.read(OLGA, id, '/api/organization')
  await some.begin(OLGA, id, { reason: 'the reason given' })
  await some.read(OLGA, id, '/api/organization')
  await some.read(OLGA, id, '/api/costs/daily?startDate=x&endDate=y')
  some.faults.audit = 'down'
  await some.read(OLGA, id, '/api/organization')
  some.faults.audit = 'ok'
  const about = lines.filter(({ fields }) => fields['organization'] === id)
  assert.deepEqual(
    about.map(({ message, fields }) => [message, fields['operator'], fields['code']]),
    [
      ['api request refused', OLGA, 'acting_session_required'],
      ['api request refused', OLGA, 'invalid_request'],
      ['api request failed', OLGA, 'audit_unavailable'],
    ],
  )
  const [, token = ''] = await some.as(OLGA)
  for (const told of ['the reason given', 'Acme', token.slice(0, 40)]) assert.ok(!inspect(lines, { depth: 5 }).includes(told), told)
})

test('what is refused before it is about anybody is never unseen: no line in a trail, but one in the log at its usual level, with the operator if known', async () => {
  const seen: unknown[][] = []
  const info = (message: string, fields: LogFields = {}): void => {
    if (/refused/.test(message)) seen.push([fields['code'] ?? fields['check'], fields['operator'], typeof fields['requestId']])
  }
  const quiet: Logger = { ...silentLogger, info, warn: info, error: info, child: () => quiet }
  await using some = await openOperators({ logger: quiet })
  const { id } = await createCustomer(some.db, 'Acme')
  const as = await some.as(OLGA)
  const path = `${some.internal}/api/organization`
  await send(path, { headers: [...as, 'accept', id, 'origin', 'https://evil.example'] })
  await send(path, { method: 'DELETE', headers: [...as, 'accept', id] })
  await send(path, { headers: ['accept', id] })
  await send(path, { headers: as })
  await send(path, { headers: [...as, 'accept', id, 'x-materialize-organization-id', NOBODY] })
  assert.deepEqual(seen, [
    ['origin_refused', undefined, 'string'],
    ['method_not_allowed', undefined, 'string'],
    ['header', undefined, 'string'],
    ['organization_required', OLGA, 'string'],
    ['organization_ambiguous', OLGA, 'string'],
  ])
  assert.deepEqual(await some.log(id), [])
})
