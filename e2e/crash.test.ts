import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEngine } from '@ascribe/sandbox'
import type { Seen } from './support/client.ts'
import { assertNothingLost, beClient, writePrices } from './support/crash-load.ts'
import { revenant } from './support/fleet.ts'
import type { Revenant } from './support/fleet.ts'
import { ask } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

// kill -9 of gateway, settler and database at random instants under load. What must hold is counted at the upstream and at
// the clients, which live on, and not in the journal.

const KILLS = Number(process.env['CRASH_TEST_KILLS'] ?? '12')
const CLIENTS = 6

test(
  `nothing is lost, doubled or billed as zero through ${KILLS} kills of gateway, settler and database`,
  { timeout: 60_000 + KILLS * 5_000 },
  async () => {
    using dir = temporaryDir()
    const data = ['--data', dir.path] as const
    const prices = writePrices(dir.path)
    const organization = await ask<{ id: string }>(['orgs', 'create', '--name', 'Crash', ...data])
    const { key } = await ask<{ key: string }>(['keys', 'create', '--org', organization.id, ...data])
    await ask(['prices', 'apply', prices, '--effective-from', '2020-01-01', ...data])

    await using engine = await startEngine({ seenMax: 100_000 + KILLS * 1_000, faults: {} })
    await using fleet = new AsyncDisposableStack()
    const gateways = await Promise.all(
      [0, 1].map(() => revenant(['gateway', '--port', '0', '--metrics-port', '0', '--upstream', engine.url, ...data])),
    )
    for (const gateway of gateways) fleet.use(gateway)
    const settler = fleet.use(await revenant(['settler', '--metrics-port', '0', ...data]))

    const seen: Seen[] = []
    const stop = new AbortController()
    fleet.defer(() => stop.abort())
    const clients = Array.from({ length: CLIENTS }, () =>
      beClient({ addresses: () => gateways.map(({ ready }) => ready?.['gateway']), key, seen, signal: stop.signal }),
    )
    await killAtRandom({ gateways, settler, dir: dir.path })
    stop.abort()
    await Promise.all(clients)
    for (const gateway of gateways) await gateway.stop()
    await settler.stop()

    await assertNothingLost({ data, organizationId: organization.id, engine, seen, wholeMin: KILLS, dir: dir.path })
  },
)

type Fleet = { readonly gateways: readonly Revenant[]; readonly settler: Revenant; readonly dir: string }

/** Kills whoever is up at a random instant, until so many have been killed. */
async function killAtRandom({ gateways, settler, dir }: Fleet): Promise<void> {
  for (let kills = 0; kills < KILLS;) {
    await delay(50 + Math.random() * 400)
    const victim = Math.floor(Math.random() * 4)
    const killed = victim === 3 ? mayKillDatabase(settler) && killDatabase(dir) : (gateways[victim] ?? settler).kill()
    if (killed) kills += 1
  }
  // What was killed last comes up again: the load ends against a whole fleet.
  for (const process of [...gateways, settler]) while (process.ready === undefined) await delay(20)
}

/**
 * A settler that has come up has met a database that answers. A recovery that is cut off begins anew and has ever more to do: some are, but were
 * all of them, none would ever end.
 */
function mayKillDatabase(settler: Revenant): boolean {
  return settler.ready !== undefined || Math.random() < 0.25
}

function killDatabase(dir: string): boolean {
  try {
    const [pid = ''] = readFileSync(join(dir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(pid), 'SIGKILL')
    return true
  } catch {
    // It is down already.
    return false
  }
}
