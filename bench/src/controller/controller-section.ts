import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { scriptedOf } from '@ascribe/controller/chaos'
import type { ChaosWorld } from '@ascribe/controller/chaos'
import { number } from '../report.ts'
import type { Section } from '../report.ts'
import { start } from '../processes.ts'
import { LATENCY_MS, addMachines, countCalls, countReady, startControllerProcess, startWorld, until } from './controller-world.ts'
import type { Counted } from './controller-world.ts'
import { measureNoise } from './noise-run.ts'

export type ControllerSetting = { readonly quick: boolean; readonly scratch: string; readonly progress: (what: string) => void }

const OWNERS = 5
const CONCURRENCY = 32
/** The controller's own bound for one owner; the floor works with as many. */
const PER_OWNER = 4
/** Per machine with one disk: `FLOOR` in apps/controller/test/suites/machine-life.ts, and the note of metering. */
const FLOOR: Counted = { cloud: 6, kube: 8 }
const LIMIT_MS = 600_000

type Run = {
  readonly machines: number
  readonly ms: number
  readonly floorMs: number
  readonly calls: ReturnType<typeof countCalls>
  readonly rssBytes: number
  readonly cpuMs: number
  readonly steady: { readonly cloud: number; readonly kube: number; readonly seconds: number }
  readonly reactionMs: readonly number[]
}

/** Machines to Running beside the bare calls that this takes; what it costs then, how fast a change is seen, and what a noisy owner does to another. */
export async function measureController({ quick, scratch, progress }: ControllerSetting): Promise<Section> {
  const machines = quick ? 100 : 1000
  progress(`${machines} machines to Running`)
  const run = await measureRun({ machines, scratch, steadySeconds: quick ? 20 : 70, progress })
  progress('a noisy owner')
  const noise = await measureNoise({ quick, scratch })
  const perMachine = { cloud: run.calls.cloud / machines, kube: run.calls.kube / machines }
  return {
    name: 'controller',
    title: `${number(machines)} machines of ${OWNERS} owners to Running, the cloud answering in ${LATENCY_MS} ms`,
    columns: ['', 'value', 'beside it'],
    rows: [
      ['calls of the cloud a machine', number(perMachine.cloud), `${FLOOR.cloud} must be made`],
      ['calls of Kubernetes a machine', number(perMachine.kube), `${FLOOR.kube} must be made`],
      [
        'all machines Running, s',
        number(run.ms / 1000),
        `${number(run.floorMs / 1000)} the bare calls, ${PER_OWNER} at a time for each owner`,
      ],
      ['memory at its peak, MB', number(run.rssBytes / 1e6), ''],
      ['CPU of a machine, ms', number(run.cpuMs / machines), ''],
      ['steady: calls of the cloud a minute', number((run.steady.cloud * 60) / run.steady.seconds), `${number(machines)} machines`],
      ['steady: calls of Kubernetes a minute', number((run.steady.kube * 60) / run.steady.seconds), ''],
      ['reaction to a change, p50 / max, ms', `${number(median(run.reactionMs))} / ${number(Math.max(...run.reactionMs))}`, ''],
      ['a quiet owner’s machine beside a noisy owner, s', number(noise.besideMs / 1000), `${number(noise.aloneMs / 1000)} alone`],
    ],
    notes: [
      `calls of Kubernetes without watches, lists, lease and events; ${run.calls.minting} calls of minting, ${run.calls.other} others of Kubernetes in all`,
      `floor: floor-process.ts, the ${FLOOR.cloud + FLOOR.kube} calls in order for each machine, without cache, plan, journal, audit or lead, on the same core`,
      'both servers are the sandboxes, in one process; reaction: from the deletion of an object to the first call of the cloud about its server',
      `noisy: ${noise.noisyMachines} machines of one owner whose calls take 2 s; quiet: ${noise.quietMachines} of another, made at the same time`,
    ],
    targets: [
      {
        what: 'calls a machine over the floor',
        value: (perMachine.cloud + perMachine.kube) / (FLOOR.cloud + FLOOR.kube),
        limit: 1.1,
        kind: 'most',
        unit: ' x',
      },
      { what: 'time over the floor', value: run.ms / run.floorMs, limit: 1.1, kind: 'most', unit: ' x' },
      { what: 'slowest reaction to a change', value: Math.max(...run.reactionMs), limit: 1000, kind: 'most', unit: ' ms' },
      { what: 'quiet owner beside a noisy one', value: noise.besideMs / noise.aloneMs, limit: 1.5, kind: 'most', unit: ' x' },
    ],
    raw: { run, noise },
  }
}

type Running = {
  readonly machines: number
  readonly scratch: string
  readonly steadySeconds: number
  readonly progress: (what: string) => void
}

async function measureRun({ machines, scratch, steadySeconds, progress }: Running): Promise<Run> {
  const floorMs = await measureFloor(machines)
  await using world = await startWorld(OWNERS)
  const dir = mkdtempSync(join(scratch, 'controller-'))
  await using controller = await startControllerProcess(world, { dir, concurrency: CONCURRENCY })
  // It holds the bindings, the clusters and the lease before there is anything to make.
  await until(
    () =>
      scriptedOf(world)
        .list('cloudsigmaclusters')
        .every((cluster) => JSON.stringify(cluster['status'] ?? {}).includes('"provisioned":true')),
    LIMIT_MS,
  )
  scriptedOf(world).clearLog()
  world.cloud.forgetCalls()
  const cpuBefore = controller.cpuMs()
  const adding = Promise.all(world.owners.map((owner) => addMachines(world, owner, machines / OWNERS)))
  const ms = await until(() => countReady(world) === machines, LIMIT_MS)
  await adding
  const calls = countCalls(world)
  const cpuMs = controller.cpuMs() - cpuBefore
  progress(`steady for ${steadySeconds} s`)
  await delay(10_000)
  const before = countCalls(world)
  await delay(steadySeconds * 1000)
  const after = countCalls(world)
  const steady = { cloud: after.cloud - before.cloud, kube: after.kube - before.kube + after.other - before.other, seconds: steadySeconds }
  progress('reaction to changes')
  const reactionMs = await measureReaction(world)
  return { machines, ms, floorMs, calls, rssBytes: controller.rssBytes(), cpuMs, steady, reactionMs }
}

/** The bare calls, in a world of their own. */
async function measureFloor(machines: number): Promise<number> {
  await using world = await startWorld(OWNERS)
  const owners = []
  for (const owner of world.owners) {
    await addMachines(world, owner, machines / OWNERS)
    const user = world.cloud.users.find(({ uuid }) => uuid === owner.uuid)
    const [image] = await owner.eyes.libdrives.list()
    owners.push({
      namespace: owner.namespace,
      api: world.cloud.regions['zrh']?.api ?? '',
      username: owner.email,
      password: user?.password ?? '',
      image: image?.uuid ?? '',
      machines: Array.from({ length: machines / OWNERS }, (_, index) => `o${owner.index}-m${index}`),
    })
  }
  const program = new URL('./floor-process.ts', import.meta.url).pathname
  const work = JSON.stringify({ kubeconfig: world.kubeconfig, perOwner: PER_OWNER, owners })
  await using floor = start([process.execPath, '--disable-warning=ExperimentalWarning', program, work], { core: 'contestant' })
  const said = Promise.withResolvers<string>()
  floor.process.stdout?.once('data', (bytes: Buffer) => said.resolve(bytes.toString()))
  floor.process.once('exit', () => said.reject(new Error(`The floor ended: ${floor.complaints()}`)))
  return (JSON.parse(await said.promise) as { ms: number }).ms
}

const REACTIONS = 20
const REACTION_MS_MAX = 30_000

function serverOf(world: ChaosWorld, key: string): string {
  const metadata = (scriptedOf(world).get('cloudsigmamachines', key)?.['metadata'] ?? {}) as {
    readonly annotations?: Readonly<Record<string, string>>
  }
  return metadata.annotations?.['ascribe.dev/server'] ?? ''
}

async function measureReaction(world: ChaosWorld): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < REACTIONS; index += 1) {
    const owner = world.owners[index % OWNERS]
    if (owner === undefined) continue
    const name = `o${owner.index}-m${Math.floor(index / OWNERS)}`
    const server = serverOf(world, `${owner.namespace}/${name}`)
    const seen = world.cloud.calls().at(-1)?.n ?? 0
    const about = (): boolean => world.cloud.calls().some(({ n, path, method }) => n > seen && method !== 'GET' && path.includes(server))
    await world.deleteMachine(owner, name)
    times.push(await until(about, REACTION_MS_MAX))
  }
  return times
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}
