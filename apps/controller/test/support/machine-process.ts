import type { CloudSigma } from '@ascribe/cloudsigma'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { Informers, KubeClient, KubeObject, ObjectKey, Resource } from '@ascribe/kube'
import type { Acts } from '../../src/accounts/types.ts'
import { AuthorityError } from '../../src/authority/errors.ts'
import type { Authority } from '../../src/authority/types.ts'
import { createMachineController } from '../../src/machine/create-machine-controller.ts'
import type { MachineDeps } from '../../src/machine/deps.ts'
import { CAPI, GRACE_MS, NAMESPACE, REGION } from './machine-types.ts'
import type { MachineWorldUnderTest, Process, ProcessOptions } from './machine-types.ts'

class Killed extends Error {}

type Wiring = { readonly world: MachineWorldUnderTest; readonly connect: () => CloudSigma; readonly ids: () => string }

/** A new process, which remembers nothing. */
export function startProcess({ world, connect, ids }: Wiring, options: ProcessOptions): Process {
  const calls: string[] = []
  let isDead = false
  /** Lets a call through, or lets the process die at it. */
  async function pass<Value>(name: string, send: () => Promise<Value>): Promise<Value> {
    if (isDead) throw new Killed('the process is dead')
    const isLast = calls.length === options.dieAt
    calls.push(name)
    if (isLast && options.dieWhen !== 'after') {
      isDead = true
      throw new Killed(`killed before ${name}`)
    }
    const value = await send().finally(() => {
      if (isLast) isDead = true
    })
    if (isDead) throw new Killed(`killed after ${name}`)
    return value
  }
  const kube = passing(world.kube, (name, send) => pass(`kube ${name}`, send))
  const cloud = deepPassing(connect(), (name, send) => pass(`cloud ${name}`, send))
  const cache = createCache(world.kube)
  const deps: MachineDeps = {
    kube,
    informers: cache.informers,
    events: { record: (_regarding, note) => void world.events.push(note), flush: async () => {}, [Symbol.asyncDispose]: async () => {} },
    authority: { ...fakeAuthority(world, cloud), ...options.authority },
    acts: { ...recordingActs(world), ...(options.perform !== undefined && { perform: options.perform }) },
    lives: options.lives ?? { observe: async () => ({ isSettled: true }) },
    fence: options.fence ?? { check: () => {}, remainingMs: () => 15_000 },
    proofKey: 'the key of this installation',
    clocks: { monotonic: () => world.now(), wall: () => world.now(), timer: () => ({ [Symbol.dispose]: () => {} }) },
    listGraceMs: GRACE_MS,
    capi: CAPI,
    logger: silentLogger,
    meters: silentMeters,
    ids,
    random: () => 0.5,
    ...options.deps,
  }
  const { reconcile } = createMachineController(deps)
  let isFrozen = false
  return {
    calls,
    get isDead() {
      return isDead
    },
    async freeze() {
      await cache.refresh()
      isFrozen = true
    },
    async reconcile(name) {
      if (!isFrozen) await cache.refresh()
      try {
        return await reconcile(
          { namespace: NAMESPACE, name },
          { signal: new AbortController().signal, logger: silentLogger, reconcileId: 'test' },
        )
      } catch (error) {
        if (isDead) return undefined
        throw error
      }
    },
  }
}

/** Writes down every act in order, as the journal does. */
function recordingActs({ acts }: Pick<MachineWorldUnderTest, 'acts'>): Acts {
  return {
    async perform(act, call) {
      acts.push(act)
      return call()
    },
    observe: () => {},
  }
}

type Pass = <Value>(name: string, send: () => Promise<Value>) => Promise<Value>

/** The same object, each of whose methods passes first. */
function passing<Target extends object>(target: Target, pass: Pass, prefix = ''): Target {
  return new Proxy(target, {
    get(object, property, receiver) {
      const value: unknown = Reflect.get(object, property, receiver)
      if (typeof value !== 'function' || typeof property === 'symbol') return value
      return (...args: readonly unknown[]) =>
        pass(`${prefix}${property}`, () => (value as (...args: unknown[]) => Promise<unknown>).apply(object, [...args]))
    },
  })
}

function deepPassing(cloud: CloudSigma, pass: Pass): CloudSigma {
  return new Proxy(cloud, {
    get(object, property, receiver) {
      const value: unknown = Reflect.get(object, property, receiver)
      return typeof value === 'object' && value !== null ? passing(value, pass, `${String(property)}.`) : value
    },
  })
}

/** Caches that hold what the server has when they are refreshed. */
function createCache(kube: KubeClient): { readonly informers: Informers; refresh(): Promise<void> } {
  const stores = new Map<Resource<KubeObject>, Map<string, KubeObject>>()
  const textOf = ({ namespace, name }: ObjectKey): string => `${namespace ?? ''}/${name}`
  return {
    async refresh() {
      for (const [resource, store] of stores) {
        const { items } = await kube.list(resource)
        store.clear()
        for (const item of items)
          store.set(
            textOf({
              name: item.metadata.name ?? '',
              ...(item.metadata.namespace !== undefined && { namespace: item.metadata.namespace }),
            }),
            item,
          )
      }
    },
    informers: {
      informer(resource) {
        const store = new Map<string, KubeObject>()
        stores.set(resource as Resource<KubeObject>, store)
        return {
          resource,
          get: (key) => store.get(textOf(key)) as never,
          list: (namespace) =>
            [...store.values()].filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace) as never,
          byIndex: () => [],
          hasSynced: () => true,
          silentMs: () => 0,
          onChange: () => () => {},
        }
      },
      synced: async () => {},
      hasSynced: () => true,
      [Symbol.asyncDispose]: async () => {},
    },
  }
}

function fakeAuthority(world: MachineWorldUnderTest, cloud: CloudSigma): Authority {
  const account = { kind: 'Owner' as const, userUUID: world.owner.uuid, region: REGION, email: world.owner.email }
  return {
    select: async () => world.selection ?? { outcome: 'selected', pin: world.pin, account },
    authorize: () => account,
    cloudFor: async () => cloud,
    admit: () => undefined,
    limits: () => {
      throw new Error('not asked by machines')
    },
    explain: (thrown) =>
      thrown instanceof AuthorityError
        ? {
            reason: thrown.reason,
            message: thrown.message,
            status: thrown.retryAfterMs === undefined ? 'False' : 'Unknown',
            retryAfterMs: thrown.retryAfterMs,
          }
        : undefined,
    verify: async () => {},
    onChange: () => () => {},
  }
}
