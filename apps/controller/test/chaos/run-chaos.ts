import { setTimeout as delay } from 'node:timers/promises'
import { MACHINES } from '@ascribe/kinds'
import { leaks, ranTwice, startAuditor } from './auditor.ts'
import { startChaosWorld } from './chaos-world.ts'
import type { ChaosWorld } from './chaos-world.ts'
import type { StartChaosKube } from './chaos-kube.ts'
import { createProcesses } from './processes.ts'
import { differences } from './state.ts'
import { storm } from './storm.ts'
import type { Tally } from './storm.ts'

export type ChaosOptions = {
  readonly machines: number
  readonly owners: number
  /** Of the storm, real time. */
  readonly seconds: number
  readonly seed: number
  /** How much faster than ours time goes. */
  readonly factor: number
  readonly say?: (line: string) => void
  /** Default: the scripted API server. */
  readonly startKube?: StartChaosKube
  /** How long everything may take to become as it should. Default 120 s. */
  readonly calmMsMax?: number
}

export type ChaosReport = {
  readonly tally: Tally
  /** What never came to be as it should. */
  readonly differences: readonly string[]
  /** What was wrong at any instant. */
  readonly violations: readonly string[]
  readonly ranTwice: readonly string[]
  readonly leaks: readonly string[]
  readonly machines: number
  readonly looks: number
  readonly cloudCalls: number
  readonly kubeCalls: number
  readonly processes: number
  readonly calmAfterMs: number
  /** How processes ended that nobody had killed or stopped. */
  readonly endings: readonly string[]
}

const CALM_MS_MAX = 120_000
/** After all is as it should be it has to stay so: a sweep, or a late repetition, would show by then. */
const STEADY_LOOKS = 10
const LOOK_MS = 300
const START_MS_MAX = 30_000

/** Machines of several owners in a storm, and what is left of it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { machines, owners, seconds, seed, factor, say = () => {}, startKube, calmMsMax = CALM_MS_MAX } = options
  const random = seeded(seed)
  await using world = await startChaosWorld({ owners, factor, seed, ...(startKube !== undefined && { startKube }) })
  await using processes = createProcesses({
    dir: world.dir,
    kubeconfig: world.kubeconfig,
    scale: world.scale,
    concurrency: 16,
    syncMs: 60_000,
    minter: world.kube.minter,
  })
  processes.start()
  processes.start()
  using auditor = startAuditor(world)
  const desired = new Set<string>()
  for (let index = 0; index < machines; index += 1) {
    const owner = world.owners[index % owners]
    if (owner === undefined) continue
    const name = `o${owner.index}-m${index}`
    await world.addMachine(owner, name)
    desired.add(`${owner.namespace}/${name}`)
  }
  await untilSome(world, machines / 4)
  const tally = await storm(world, processes, { random, seconds, desired })
  say(`the storm is over: ${JSON.stringify(tally)}`)
  const calm = Date.now()
  let wrong: string[] = []
  let steady = 0
  while (steady < STEADY_LOOKS && Date.now() - calm < calmMsMax) {
    await delay(LOOK_MS)
    await world.core()
    while (processes.all.length < 2) processes.start()
    wrong = await differences(world, desired)
    steady = wrong.length === 0 ? steady + 1 : 0
    if (steady === 0) say(`${wrong.length} differences, ${wrong[0]}`)
  }
  const calmAfterMs = Date.now() - calm - STEADY_LOOKS * LOOK_MS
  await Promise.all(processes.all.map((process) => process.stop()))
  return {
    tally,
    differences: wrong,
    violations: auditor.violations(),
    ranTwice: ranTwice(world),
    leaks: await leaks(world, processes.dirs),
    machines: desired.size,
    looks: auditor.looks(),
    cloudCalls: auditor.calls(),
    kubeCalls: world.kube.requests().length,
    processes: processes.dirs.length,
    calmAfterMs,
    endings: processes.endings,
  }
}

/** The storm begins in the middle of things: some machines run, others are being made. */
async function untilSome({ client }: ChaosWorld, count: number): Promise<void> {
  const end = Date.now() + START_MS_MAX
  while (Date.now() < end) {
    const { items } = await client.list(MACHINES)
    if (items.filter(({ status }) => status?.initialization?.provisioned === true).length >= count) return
    await delay(LOOK_MS)
  }
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
