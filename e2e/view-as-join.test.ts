import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { askHost } from './support/ask-host.ts'
import type { HostAnswer } from './support/ask-host.ts'
import { joinRecording } from './support/join-recording.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Product } from './support/product.ts'
import { TeleportControl } from './support/teleport-control.ts'

// R18: Teleport's record says who and what, ours says whose and why. Together they say all of it, as docs/guides/teleport.md tells.

const [OLGA, OTTO] = ['olga@ops.example', 'otto@ops.example']
const dir = temporaryDir()
let product: Product
let teleport: TeleportControl

before(async () => {
  product = await up(dir.path)
  teleport = new TeleportControl(product.ready.teleport)
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

type LogEntry = {
  readonly kind: string
  readonly at: string
  readonly actor: { readonly id?: string }
  readonly act?: { readonly reason?: string; readonly ticket?: string }
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly status?: number
}

async function accessLog(): Promise<readonly LogEntry[]> {
  const { api, organization, billing_key: key } = product.ready
  const reply = await fetch(`${api}/v1/organizations/${organization.id}/access-log`, { headers: { authorization: `Bearer ${key}` } })
  assert.equal(reply.status, 200)
  return ((await reply.json()) as { readonly data: readonly LogEntry[] }).data
}

test('R18: each line of the access log that an operator left is one request in a recording of that operator, and only ours says whose', async () => {
  const { organization } = product.ready
  const origin = new URL(product.ready.environmentConsole).origin
  const cookies = new Map<string, string>()
  for (const operator of [OLGA, OTTO]) cookies.set(operator, await teleport.signIn(operator, 'global-api'))
  const ask = (operator: string, path: string, more: { method?: string; body?: string } = {}): Promise<HostAnswer> =>
    askHost(product.ready.teleport + path, {
      ...more,
      headers: {
        cookie: cookies.get(operator) ?? '',
        origin,
        ...(more.body === undefined ? { accept: organization.id } : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
    })
  for (const [operator, reason] of [
    [OLGA, 'the bill looks too high'],
    [OTTO, 'yearly review'],
  ] as const) {
    const body = new URLSearchParams({ organization: organization.id, reason, ticket: 'T-1', minutes: '10' }).toString()
    assert.equal((await ask(operator, '/v1/acting-sessions', { method: 'POST', body })).status, 201)
  }
  const today = new Date().toISOString().slice(0, 10)
  const paths = ['/api/organization', '/api/credits', `/api/costs/breakdown/daily?startDate=${today}&endDate=${today}`, '/api/organization']
  for (const path of paths) assert.equal((await ask(OLGA, path)).status, 200, path)
  assert.equal((await ask(OTTO, '/api/credits')).status, 200)
  assert.equal((await ask(OTTO, '/api/costs/breakdown/daily?startDate=yesterday&endDate=today')).status, 400)

  const lines = (await accessLog()).flatMap((entry) => {
    const { kind, at, actor, method, path, query = '', status } = entry
    if (!(kind === 'read' || kind === 'refusal') || method === undefined || path === undefined || status === undefined) return []
    return [{ entry, at, user: actor.id ?? '', method, path, query: query.replace(/^\?/, ''), status }]
  })
  const events = await teleport.events()
  const chunks = await Promise.all(
    events
      .filter(({ event }) => event === 'app.session.chunk')
      .map(async ({ user, session_chunk_id: id }) => ({
        user: String(user),
        chunkId: String(id),
        requests: await teleport.recording(String(id)),
      })),
  )
  const { pairs, unrecorded } = joinRecording(lines, chunks)
  assert.deepEqual(unrecorded, [])
  const expected = [
    ...paths.map((path) => `${OLGA} ${path.split('?')[0]} 200`),
    `${OTTO} /api/credits 200`,
    `${OTTO} /api/costs/breakdown/daily 400`,
  ]
  const joined = pairs.map(({ line }) => `${line.user} ${line.path} ${line.status}`)
  assert.deepEqual(new Set(joined), new Set(expected))
  assert.equal(joined.length, expected.length)
  const reasons = new Map(pairs.map(({ line }) => [line.user, line.entry.act?.reason]))
  assert.deepEqual(Object.fromEntries(reasons), { [OLGA]: 'the bill looks too high', [OTTO]: 'yearly review' })
  // What Teleport keeps does not name the organization anywhere.
  assert.equal(JSON.stringify([events, chunks]).includes(organization.id), false)
})

test('R16: what is wrong with an assertion reaches the listener through the proxy and is refused there, and a long one is not wrong', async () => {
  const { organization, teleport: api } = product.ready
  const cookie = await teleport.signIn(OTTO, 'global-api')
  // A route that needs an operator and no acting session.
  const look = async (): Promise<number> =>
    (await askHost(`${api}/v1/operator/organizations?q=${organization.name}`, { headers: { cookie } })).status
  try {
    for (const [faults, status] of [
      [{}, 200],
      [{ traitBytes: 30_000 }, 200],
      [{ expired: true }, 401],
      [{ clockSkewMs: 600_000 }, 401],
      [{ clockSkewMs: 20_000 }, 200],
      [{ wrongAudience: true }, 401],
      [{ wrongIssuer: true }, 401],
      [{ wrongKey: true }, 401],
      [{ wrongSubject: true }, 401],
      [{ noRoles: true }, 403],
      [{ algorithm: 'none' }, 401],
      [{ algorithm: 'HS256' }, 401],
      [{ twice: true }, 401],
      [{ noAssertion: true }, 401],
      // Node refuses what is beyond 64 KiB of headers before anybody reads it.
      [{ traitBytes: 60_000 }, 431],
    ] as const) {
      await teleport.setFaults(faults)
      assert.equal(await look(), status, JSON.stringify(faults))
    }
  } finally {
    await teleport.setFaults({})
  }
})
