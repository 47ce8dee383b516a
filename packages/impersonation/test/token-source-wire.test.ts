import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import type { LogFields, Logger } from '@ascribe/kit'
import { constantSecret } from '../src/client-secret.ts'
import { createIssuer } from '../src/issuer.ts'
import type { MintAudit } from '../src/mint-audit.ts'
import { createRegionTable } from '../src/region-table.ts'
import { createTokenSource } from '../src/token-source.ts'
import type { TokenSource } from '../src/token-source-types.ts'
import { listen, tinyCloud } from './support/loopback.ts'
import type { Loopback } from './support/loopback.ts'
import { createCountingMeters, ownerOf, refusalOf, uuidOf } from './support/world.ts'
import type { CountingMeters } from './support/world.ts'

type Wired = AsyncDisposable & {
  readonly cloud: Loopback
  readonly source: TokenSource
  readonly audits: MintAudit[]
  readonly lines: unknown[]
  readonly meters: CountingMeters
}

/** A source on the wire: loopback servers, real clocks. */
async function wired(lifeS?: number): Promise<Wired> {
  const cloud = await listen(tinyCloud(lifeS))
  const audits: MintAudit[] = []
  const lines: unknown[] = []
  const meters = createCountingMeters()
  const log = (message: string, fields?: LogFields): void => void lines.push([message, inspect(fields, { depth: 10 })])
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger }
  const source = createTokenSource({
    issuer: createIssuer({ oauthUrl: `http://127.0.0.1:${cloud.port}`, realm: 'cloud' }),
    clientId: 'kubernetes_cluster_service',
    secret: constantSecret('client-secret-canary'),
    regions: createRegionTable({ template: `http://direct.{region}.localhost:${cloud.port}` }),
    audit: async (record) => void audits.push(record),
    logger,
    meters,
    // No pause before the one more try.
    random: () => 0,
  })
  return {
    cloud,
    source,
    audits,
    lines,
    meters,
    async [Symbol.asyncDispose]() {
      source[Symbol.dispose]()
      await cloud[Symbol.asyncDispose]()
    },
  }
}

test('token() speaks exactly what is on the wire in all of its requests (1.9)', async () => {
  await using world = await wired()
  const { cloud, source } = world
  const token = await source.token(ownerOf(7))
  const [service, rpt, impersonate, profile] = cloud.received
  const [sa, ticket] = [rpt?.authorization?.slice(7), impersonate?.authorization?.slice(7)]
  assert.deepEqual(
    [service?.method, service?.path, service?.contentType, service?.authorization],
    ['POST', '/realms/cloud/protocol/openid-connect/token', 'application/x-www-form-urlencoded', undefined],
  )
  assert.deepEqual(Object.fromEntries(new URLSearchParams(service?.body)), {
    grant_type: 'client_credentials',
    client_id: 'kubernetes_cluster_service',
    client_secret: 'client-secret-canary',
  })
  assert.deepEqual(Object.fromEntries(new URLSearchParams(rpt?.body)), {
    grant_type: 'urn:ietf:params:oauth:grant-type:uma-ticket',
    audience: 'service_provider_api',
  })
  assert.deepEqual(
    [impersonate?.path, impersonate?.contentType, impersonate?.host],
    ['/service_provider/api/v1/user/impersonate', 'application/json', `direct.zrh.localhost:${cloud.port}`],
  )
  assert.deepEqual(JSON.parse(impersonate?.body ?? ''), { user_email: 'user7@example.com', subject_token: sa })
  assert.notEqual(ticket, sa)
  assert.deepEqual([profile?.method, profile?.path, profile?.host], ['GET', '/api/2.0/profile/', `direct.zrh.localhost:${cloud.port}`])
  assert.equal(profile?.authorization, token.authorization(token.origin))
  assert.equal(cloud.received.length, 4)
})

test('50 machines of one owner that start at once cost one service account call, one RPT call, one impersonation (msal-js-6566, concourse-3586)', async () => {
  await using world = await wired()
  const { cloud, source } = world
  const tokens = await Promise.all(Array.from({ length: 50 }, () => source.token(ownerOf(1))))
  assert.equal(new Set(tokens).size, 1)
  assert.equal(tokens[0]?.subject, uuidOf(1))
  assert.equal(cloud.received.length, 4)
})

test('secrets and tokens stay out of logs, errors, metrics, audit records and reports, whatever the peers answer (H-15)', async () => {
  const seen: unknown[] = []
  const answers: Loopback['handle'][] = [
    tinyCloud(),
    // Peers that give back what they were sent, in every form.
    ({ body, authorization }, response) =>
      void response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: body, error_description: `${body} ${authorization}` })),
    ({ body, authorization }, response) =>
      void response
        .writeHead(403, { 'x-request-id': `${authorization}` })
        .end(JSON.stringify([{ error_type: body, error_message: authorization }])),
    ({ body, authorization }, response) =>
      void response.writeHead(502, { 'content-type': 'text/html' }).end(`<html>${body} ${authorization}`),
    ({ body }, response) => void response.writeHead(200).end(JSON.stringify({ access_token: `${body} canary`, token_type: body })),
    ({ body, path }, response) =>
      void response.writeHead(307, { location: `https://evil.example/${path}?${encodeURIComponent(body)}` }).end(),
    (_request, _response, socket) => void socket.resetAndDestroy(),
  ]
  for (const answer of answers)
    for (const broken of ['/realms/cloud', 'uma-ticket', '/service_provider', '/profile/']) {
      await using world = await wired()
      const good = tinyCloud()
      world.cloud.handle = (request, response, socket) => {
        const isBroken = broken === 'uma-ticket' ? request.body.includes(broken) : request.path.includes(broken)
        ;(isBroken ? answer : good)(request, response, socket)
      }
      const outcome = await world.source.token(ownerOf(1)).catch((error: unknown) => error)
      const found = await world.source.discover({ ownerEmail: 'user1@example.com', region: 'zrh' }).catch((error: unknown) => error)
      // What a discovery found is an address: that is its answer.
      for (const each of [outcome, found instanceof Error ? found : undefined])
        seen.push(inspect(each, { depth: 20, showHidden: true }), JSON.stringify(each), String(each))
      seen.push(
        inspect([world.source, world.audits, world.source.inspect(), [...world.meters.series]], { depth: 20, showHidden: true }),
        JSON.stringify(world.audits),
        world.lines,
      )
    }
  const text = JSON.stringify(seen)
  assert.ok(text.length > 10_000)
  const at = text.search(/canary|eyJ|client_secret|subject_token|Bearer|user1@example/)
  assert.equal(at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 200), '')
})

test('a step 3 that answers 504 is tried once more and then left to the caller; the next one is held back', async () => {
  await using world = await wired()
  const { cloud, source } = world
  const good = cloud.handle
  cloud.handle = (request, response, socket) => {
    if (request.path.includes('impersonate')) response.writeHead(504, { 'content-type': 'text/html' }).end('<html>Gateway Time-out</html>')
    else good(request, response, socket)
  }
  const error = await refusalOf(source.token(ownerOf(1)), 'server_error')
  assert.deepEqual([error.status, error.step, error.retryable], [504, 'impersonate', true])
  assert.equal(cloud.received.filter(({ path }) => path.includes('impersonate')).length, 2)
})

test('a token that is accepted on the wrong host never gets there (R-1, H-23)', async () => {
  await using wrong = await listen(tinyCloud(), '127.0.0.1')
  await using world = await wired()
  const authenticator = world.source.authenticator(ownerOf(1))
  await assert.rejects(authenticator.authorize(`http://zrh.localhost:${wrong.port}`), /acts as somebody else there \(R-1\)/)
  assert.equal(world.cloud.received.length, 0)
  const token = await world.source.token(ownerOf(1))
  assert.throws(() => token.authorization(`http://zrh.localhost:${world.cloud.port}`), /R-1/)
  assert.equal(wrong.received.length, 0)
})

test('discover() asks for the profile alone, and says how far the clocks are apart', async () => {
  await using world = await wired()
  const found = await world.source.discover({ ownerEmail: 'user5@example.com', region: 'zrh' })
  assert.deepEqual([found.ownerUuid, found.state, found.lifeMs, found.requestId], [uuidOf(5), 'REGULAR', 300_000, 'req-7'])
  // The tiny cloud lives in 1970.
  assert.ok((found.clockAheadMs ?? 0) < -1e12)
  assert.deepEqual(world.cloud.received.map(({ path }) => path).slice(2), [
    '/service_provider/api/v1/user/impersonate',
    '/api/2.0/profile/',
  ])
})
