import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosWorld, Owner } from './chaos-world.ts'
import type { Processes } from './processes.ts'

/** What happened to whom; for the report. */
export type Tally = Record<'kills' | 'freezes' | 'watches' | 'revocations' | 'tokens' | 'outside' | 'added' | 'deleted', number>

export type StormOptions = {
  readonly random: () => number
  readonly seconds: number
  /** Keys that should stand; the storm adds and takes away. */
  readonly desired: Set<string>
}

/** Between two blows, real time. */
const PAUSE_MS = 120
/** Some for longer than a lease: another one leads when they wake. */
const FREEZE_MS = { min: 200, spread: 4500 }

/** Errors, resets and delays on both APIs for as long as it is held; only the controllers meet them. */
export function armFaults({ kube, cloud }: ChaosWorld): Disposable {
  const armed = kube.arm()
  const faults = [
    cloud.addFault({ match: { step: 'api', probability: 0.03 }, does: { status: 500 } }),
    cloud.addFault({ match: { step: 'api', probability: 0.02 }, does: { status: 503, errorType: 'concurrency' } }),
    cloud.addFault({ match: { step: 'api', probability: 0.02 }, does: { drop: 'before' } }),
    cloud.addFault({ match: { step: 'api', method: 'POST', probability: 0.05 }, does: { drop: 'after' } }),
    cloud.addFault({ match: { step: 'api', probability: 0.01 }, does: { status: 502, body: 'html' } }),
    cloud.addFault({ match: { step: 'service-token', probability: 0.05 }, does: { status: 503, body: 'html' } }),
    cloud.addFault({ match: { step: 'impersonate', probability: 0.05 }, does: { status: 504, body: 'html' } }),
  ]
  return {
    [Symbol.dispose]() {
      armed[Symbol.dispose]()
      for (const id of faults) cloud.clearFaults(id)
    },
  }
}

/** One blow after the other. Afterwards nothing is broken any more, and two processes run. */
export async function storm(world: ChaosWorld, processes: Processes, { random, seconds, desired }: StormOptions): Promise<Tally> {
  const tally: Tally = { kills: 0, freezes: 0, watches: 0, revocations: 0, tokens: 0, outside: 0, added: 0, deleted: 0 }
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const end = Date.now() + seconds * 1000
  const revoked = new Set<Owner>()
  let names = 10_000
  using _faults = armFaults(world)
  while (Date.now() < end) {
    await delay(PAUSE_MS * (0.5 + random()))
    await world.core()
    while (processes.all.length < 2) processes.start()
    const blow = random()
    const owner = pick(world.owners)
    if (owner === undefined) continue
    if (blow < 0.03) {
      await pick(processes.all)?.kill()
      tally.kills += 1
    } else if (blow < 0.07) {
      pick(processes.all)?.freeze(FREEZE_MS.min + random() * FREEZE_MS.spread)
      tally.freezes += 1
    } else if (blow < 0.35) {
      await world.kube.blow(random)
      tally.watches += 1
    } else if (blow < 0.45) {
      if (revoked.delete(owner)) await world.bind(owner)
      else if (await world.revoke(owner)) revoked.add(owner)
      tally.revocations += 1
    } else if (blow < 0.55) {
      world.cloud.revokeTokens({ user: owner.email })
      tally.tokens += 1
    } else if (blow < 0.65) {
      const running = pick(world.cloud.servers().filter(({ status }) => status === 'running'))
      if (running !== undefined) world.cloud.happen({ event: random() < 0.5 ? 'crash' : 'stop', server: running.uuid })
      tally.outside += 1
    } else if (blow < 0.8) {
      const name = `o${owner.index}-m${names++}`
      await world.addMachine(owner, name)
      desired.add(`${owner.namespace}/${name}`)
      tally.added += 1
    } else {
      const key = pick([...desired].filter((each) => each.startsWith(`${owner.namespace}/`)))
      if (key === undefined) continue
      await world.deleteMachine(owner, key.slice(key.indexOf('/') + 1))
      desired.delete(key)
      tally.deleted += 1
    }
  }
  for (const owner of revoked) await world.bind(owner)
  return tally
}
