import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEngine } from '@ascribe/sandbox'
import type { Seen } from './support/client.ts'
import { assertNothingLost, beClient, writePrices } from './support/crash-load.ts'
import { revenant } from './support/fleet.ts'
import type { Revenant } from './support/fleet.ts'
import { childrenOf, lives } from './support/one-port.ts'
import { ask } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

// kill -9 of workers of one gateway, and now and then of the process that started them, at random instants under load; workers are replaced meanwhile.

// Each of them costs what ten of the other crash test do: a supervisor and its workers start again.
const KILLS = Math.max(12, Math.ceil(Number(process.env['CRASH_TEST_KILLS'] ?? '0') / 10))
const CLIENTS = 6
const WORKERS = '3'

test(
  `nothing is lost, doubled or billed as zero through ${KILLS} kills of workers, of the process that started them, and replacements between`,
  { timeout: 90_000 + KILLS * 10_000 },
  async () => {
    using dir = temporaryDir()
    const data = ['--data', dir.path] as const
    const prices = writePrices(dir.path)
    const organization = await ask<{ id: string }>(['orgs', 'create', '--name', 'Crash', ...data])
    const { key } = await ask<{ key: string }>(['keys', 'create', '--org', organization.id, ...data])
    await ask(['prices', 'apply', prices, '--effective-from', '2020-01-01', ...data])

    await using engine = await startEngine({ seenMax: 100_000, faults: {} })
    const gateway = await revenant(['gateway', '--port', '0', '--metrics-port', '0', '--upstream', engine.url, ...data], {
      env: { ASCRIBE_GATEWAY_WORKERS: WORKERS },
    })
    const settler = await revenant(['settler', '--metrics-port', '0', ...data])

    const seen: Seen[] = []
    const stop = new AbortController()
    const addresses = (): readonly (string | undefined)[] => [gateway.ready?.['gateway']]
    const clients = Array.from({ length: CLIENTS }, () => beClient({ addresses, key, seen, signal: stop.signal }))
    await killAtRandom(gateway, seen)
    stop.abort()
    await Promise.all(clients)
    await gateway.stop()
    await settler.stop()
    await assertNothingLost({ data, organizationId: organization.id, engine, seen, wholeMin: KILLS - 1, dir: dir.path })
  },
)

/** Somebody is served between any two of them: on a slow machine too this tests what is lost, and not only what never was. */
async function killAtRandom(gateway: Revenant, seen: readonly Seen[]): Promise<void> {
  const served = (): number => seen.filter(({ whole }) => whole).length
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = served()
    while (served() === before) await delay(20)
    await delay(50 + Math.random() * 800)
    while (gateway.ready === undefined) await delay(20)
    const workers = childrenOf(gateway.pid).filter(lives)
    if (kill % 6 === 5) gateway.kill()
    else if (kill % 6 === 3) process.kill(gateway.pid, 'SIGUSR2')
    else for (const pid of workers.slice(0, 1 + (kill % 2))) process.kill(pid, 'SIGKILL')
  }
  while (gateway.ready === undefined) await delay(20)
}
