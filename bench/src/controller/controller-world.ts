import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { scriptedOf, startChaosWorld } from '@ascribe/controller/chaos'
import type { ChaosWorld, Owner } from '@ascribe/controller/chaos'
import { start } from '../processes.ts'
import type { Started } from '../processes.ts'

export const LATENCY_MS = 50
/** Shorter than a call: the first look finds them done, so that only calls are counted and not waiting. */
const WORK_MS = 40

export function startWorld(owners: number): Promise<ChaosWorld> {
  return startChaosWorld({
    owners,
    factor: 1,
    seed: 7,
    knobs: { latencyMs: LATENCY_MS, cloneMs: WORK_MS, startMs: WORK_MS, stopMs: WORK_MS, impTtlS: 3600 },
  })
}

export type Controller = Started & { readonly rssBytes: () => number; readonly cpuMs: () => number }

export async function startControllerProcess(
  world: ChaosWorld,
  { dir, concurrency }: { readonly dir: string; readonly concurrency: number },
): Promise<Controller> {
  const program = new URL('./controller-process.ts', import.meta.url).pathname
  const started = start([process.execPath, '--disable-warning=ExperimentalWarning', program, world.kubeconfig, dir, String(concurrency)], {
    core: 'contestant',
  })
  const ready = Promise.withResolvers<void>()
  started.process.stdout?.once('data', () => ready.resolve())
  started.process.once('exit', () => ready.reject(new Error(`The controller ended: ${started.complaints()}`)))
  await ready.promise
  return {
    ...started,
    rssBytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${started.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    cpuMs: () => {
      const fields = readFileSync(`/proc/${started.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  }
}

export type Counted = { readonly cloud: number; readonly kube: number }

/** Calls of the controller so far. Minting, renewing the lease and reading caches are not about a machine; they are told apart. */
export function countCalls(world: ChaosWorld): Counted & { readonly minting: number; readonly other: number } {
  const ours = scriptedOf(world).log.filter(({ user }) => user === 'controller')
  const about = ours.filter(({ plural, verb }) => verb !== 'watch' && verb !== 'list' && plural !== 'leases' && plural !== 'events')
  const calls = world.cloud.calls()
  const api = calls.filter(({ step }) => step === 'api')
  return { cloud: api.length, kube: about.length, minting: calls.length - api.length, other: ours.length - about.length }
}

/** Machines whose server runs, as they say themselves. */
export function countReady(world: ChaosWorld, namespace?: string): number {
  return scriptedOf(world)
    .list('cloudsigmamachines', namespace)
    .filter(({ status }) => isReady(status)).length
}

function isReady(status: unknown): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
  return conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True')
}

export async function addMachines(world: ChaosWorld, owner: Owner, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `o${owner.index}-m${index}`)
  for (let at = 0; at < names.length; at += 20) await Promise.all(names.slice(at, at + 20).map((name) => world.addMachine(owner, name)))
}

export async function until(condition: () => boolean, limitMs: number): Promise<number> {
  const begin = performance.now()
  while (!condition()) {
    if (performance.now() - begin > limitMs) return Infinity
    await delay(20)
  }
  return performance.now() - begin
}
