import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type SandboxCloud, startSandboxCloud } from '../../src/cloud/start-cloud.ts'
import { type Api, type Json, actAs, firstOf } from './cloud-client.ts'

// Whatever an owner, the cloud's staff and the infrastructure do in whatever order: books and machines agree.

let cloud: SandboxCloud
before(async () => {
  const knobs = { impTtlS: 100_000_000, listLagMs: 0, rateLimitPerMinute: 0, deleteLimitPerMinute: 0, enforceFunds: false }
  cloud = await startSandboxCloud({ seed: 41, clock: 'frozen', knobs })
})
after(() => cloud.close())

type Step =
  | { readonly kind: 'create'; readonly withDrive: boolean }
  | { readonly kind: 'act'; readonly which: number; readonly action: string }
  | { readonly kind: 'delete'; readonly which: number; readonly recurse: string }
  | { readonly kind: 'happen'; readonly which: number; readonly event: 'crash' | 'unavailable' | 'heal' | 'pause' | 'stop' | 'delete' }
  | { readonly kind: 'pass'; readonly ms: number }

const which = fc.nat(3)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('create' as const), withDrive: fc.boolean() }),
  fc.record({
    kind: fc.constant('act' as const),
    which,
    action: fc.constantFrom('start', 'start', 'stop', 'shutdown', 'restart', 'clone'),
  }),
  fc.record({ kind: fc.constant('delete' as const), which, recurse: fc.constantFrom('', '?recurse=all_drives') }),
  fc.record({
    kind: fc.constant('happen' as const),
    which,
    event: fc.constantFrom('crash', 'unavailable', 'heal', 'pause', 'stop', 'delete'),
  }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 500, 1000, 2000, 5000, 60_000) }),
)

type Owner = { readonly api: Api; readonly email: string }
type Seen = {
  readonly servers: (Json & { uuid: string; status: string; nics: Json[] })[]
  readonly drives: (Json & { uuid: string; status: string; size: number; mounted_on: { uuid: string }[] })[]
}

async function look(api: Api): Promise<Seen> {
  const all = async (path: string): Promise<unknown> => ((await api.get(`${path}/detail/?limit=0`)).json as { objects: unknown }).objects
  return { servers: (await all('servers')) as Seen['servers'], drives: (await all('drives')) as Seen['drives'] }
}

async function take({ api, email }: Owner, step: Step): Promise<void> {
  const servers = cloud.servers().filter(({ owner }) => owner === email)
  const pick = (index: number): string | undefined => servers[index % Math.max(1, servers.length)]?.uuid
  switch (step.kind) {
    case 'pass':
      return cloud.clock.advance(step.ms)
    case 'create': {
      const drive = step.withDrive ? firstOf(await api.post('drives/', { name: 'd', size: 536_870_912, media: 'disk' })).uuid : undefined
      const drives = drive === undefined ? [] : [{ drive, device: 'virtio', dev_channel: '0:0' }]
      await api.post('servers/', {
        name: 's',
        cpu: 1000,
        mem: 536_870_912,
        vnc_password: 'x',
        drives,
        nics: [{ ip_v4_conf: { conf: 'dhcp' } }],
      })
      return
    }
    case 'act':
      return void (await api.post(`servers/${pick(step.which)}/action/?do=${step.action}`))
    case 'delete':
      return void (await api.delete(`servers/${pick(step.which)}/${step.recurse}`))
    case 'happen': {
      const server = pick(step.which)
      const mayHappen = {
        crash: ['running'],
        unavailable: ['running'],
        heal: ['unavailable', 'paused'],
        pause: ['running'],
        stop: ['running'],
        delete: ['running', 'stopped'],
      }
      if (server !== undefined && mayHappen[step.event].includes(servers.find(({ uuid }) => uuid === server)?.status ?? ''))
        cloud.happen({ event: step.event, server })
    }
  }
}

async function assertBooks({ api, email }: Owner): Promise<void> {
  const { servers, drives } = await look(api)
  const bill = cloud.bill(email)['zrh']
  const now = cloud.clock.now()
  const ran = cloud
    .intervals(email)
    .map(({ cpu, mem, start, end }) => ({ cpu: BigInt(cpu), mem: BigInt(mem), ms: BigInt((end ?? now) - start) }))
  assert.equal(
    bill?.cpuMhzMs,
    ran.reduce((sum, { cpu, ms }) => sum + cpu * ms, 0n),
    'MHz by the intervals',
  )
  assert.equal(
    bill?.memByteMs,
    ran.reduce((sum, { mem, ms }) => sum + mem * ms, 0n),
    'bytes by the intervals',
  )
  const paid = servers.filter(({ status }) => status !== 'stopped' && status !== 'deleting')
  assert.equal(bill?.cpuMhz, BigInt(1000 * paid.length), 'who runs is paid for, and nobody else')
  assert.equal(
    bill?.diskBytes,
    drives.reduce((sum, { size }) => sum + BigInt(size), 0n),
    'drives that exist are paid for',
  )
  for (const drive of drives) {
    if (drive.status === 'mounted') assert.equal(drive.mounted_on.length, 1)
    if (drive.status === 'unmounted') assert.equal(drive.mounted_on.length, 0)
  }
  for (const { status, runtime, uuid } of servers)
    if (status === 'running' || status === 'stopped') assert.equal(runtime !== null, status === 'running', `${uuid} ${status}`)
  const addresses = servers
    .flatMap(({ nics }) => nics.flatMap(({ runtime }) => JSON.stringify((runtime as Json | null)?.['ip_v4'] ?? null)))
    .filter((each) => each !== 'null')
  assert.equal(new Set(addresses).size, addresses.length, 'no address twice')
}

/** A machine that runs: what comes then matters more. */
const UP: readonly Step[] = [
  { kind: 'create', withDrive: true },
  { kind: 'pass', ms: 1000 },
  { kind: 'act', which: 0, action: 'start' },
  { kind: 'pass', ms: 2000 },
]

test('whatever happens in whatever order, the bill is what ran, and machines, drives and addresses agree', async () => {
  let account = 0
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 20 }), async (steps) => {
      const email = `model-${account++}@example.com`
      cloud.addUser({ email })
      const api = await actAs(cloud, email)
      for (const step of [...UP, ...steps]) await take({ api, email }, step)
      await assertBooks({ api, email })
      cloud.clock.advance(200_000)
      await assertBooks({ api, email })
    }),
    { numRuns: 25 },
  )
})
