import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LoggedCall } from '@ascribe/sandbox/cloud'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { USER, eventually, openControllerWorld } from '../support/controller-world.ts'
import { actOf, assertHours, mountedBytes } from '../support/machine-truth.ts'
import type { ActLine, MachineEvent } from '../support/machine-truth.ts'
import { ask, askLines, run, start } from '../support/process.ts'
import type { Running } from '../support/process.ts'
import { temporaryDir } from '../support/product.ts'
import { startBroker } from './nats/start.ts'
import { broker } from './support/spread-fleet.ts'

// A controller without a database: hours and acts go over a real broker to a settler on another disk. Both, the broker and the controller are
// killed on the way, and the broker loses its streams.

const available = await broker()
const { skip } = available

/** What each of these calls of the cloud is called in the log of the owner. */
const VERBS: readonly (readonly [verb: string, isIt: (call: LoggedCall) => boolean])[] = [
  ['create_server', ({ method, path }) => method === 'POST' && path.endsWith('/servers/')],
  ['delete_server', ({ method, path }) => method === 'DELETE' && path.includes('/servers/')],
  ['clone_drive', ({ method, path, query }) => method === 'POST' && path.includes('drives/') && query.includes('do=clone')],
  ['start', ({ method, path, query }) => method === 'POST' && path.includes('/servers/') && query.includes('do=start')],
]

test(
  'hours and acts that go over a broker are in the ledger and in the log once, whoever is killed on the way',
  { skip, timeout: 240_000 },
  async () => {
    await using world = await openControllerWorld(() => startSandboxKube())
    const [office, field] = [world.dir(), world.dir()]
    using brokerDir = temporaryDir()
    await using nats = await startBroker({ binary: available.binary ?? '', dir: brokerDir.path })
    const env = { ASCRIBE_NATS_URL: nats.url, ASCRIBE_SERVER_SECRET: randomBytes(32).toString('hex') }
    const acme = (await ask<{ id: string }>(['orgs', 'create', '--name', 'Acme', '--data', office], { env })).id
    await ask(['owners', 'map', world.userOf(USER), '--org', acme, '--from', '2026-01-01', '--data', office], { env })
    await using settler = start(['settler', '--metrics-port', '0', '--data', office, '--json'], { env })
    await settler.firstLine
    const controller = async (): Promise<Running> => {
      const running = start(
        ['controller', '--kubeconfig', world.kubeconfig, '--data', field, '--json', '--sync', '1s', '--list-grace', '1s'],
        { env },
      )
      assert.ok((await running.firstLine) !== undefined, running.stderr())
      return running
    }
    const count = (wanted: number): Promise<unknown> =>
      eventually(
        async () => {
          const machines = await world.machines('team')
          return machines.length === wanted && machines.every(({ status }) => status?.initialization?.provisioned === true)
        },
        async () => (await world.machines('team')).map(({ status }) => status),
      )
    await world.owner('team', USER)
    await using first = await controller()
    await world.machine('team', 'm0')
    await world.machine('team', 'm1')
    await count(2)
    const mounted = await mountedBytes(world)

    // The broker is away: what is done meanwhile is in the journal, and its writer does not come back.
    await nats.kill()
    await world.remove('team', 'm1')
    await count(1)
    first.kill('SIGKILL')
    await first.exited
    await nats.start()
    await using second = await controller()
    // The broker comes back with nothing.
    await nats.kill()
    await nats.start({ empty: true })
    await world.remove('team', 'm0')
    await count(0)
    second.kill('SIGTERM')
    assert.equal((await second.ended).code, 0, second.stderr())
    assert.deepEqual(journalsIn(field), [], 'what was shipped is taken away, and everything was')

    const acts = await eventually(
      async () => {
        const { stdout } = await run(['audit', 'export', '--org', acme, '--data', office], { env })
        const found = stdout.split('\n').flatMap(actOf)
        return found.filter(({ verb }) => verb === 'delete_server').length === 2 && found
      },
      () => settler.stderr().slice(-2000),
    )
    assert.deepEqual(acts.map(keyOf), [...new Set(acts.map(keyOf))], 'none is there twice')
    const calls = world.cloud.calls().filter(({ kind, status = 0 }) => kind === 'direct' && status < 300)
    for (const [verb, isIt] of VERBS) {
      const done = acts.filter((each) => each.verb === verb && each.outcome === 'done')
      assert.deepEqual([verb, done.length], [verb, calls.filter(isIt).length])
      assert.equal(done.length, 2)
    }
    const records = await askLines<MachineEvent>(['events', 'list', '--org', acme, '--data', office], { env })
    assert.equal(new Set(records.map(({ event_id: id }) => id)).size, records.length)
    assertHours(world, { records, acts, mounted })
  },
)

const keyOf = ({ event }: ActLine): string => event

function journalsIn(dir: string): readonly string[] {
  const path = join(dir, 'journal')
  return existsSync(path) ? readdirSync(path) : []
}
