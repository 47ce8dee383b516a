import { CLUSTERS, MACHINES } from '@ascribe/kinds'
import type { Controller, EventRecorder } from '@ascribe/kube'
import { createIdSource } from '@ascribe/units'
import { createActs } from '../accounts/acts.ts'
import type { Acts } from '../accounts/types.ts'
import { createLives } from '../accounts/lives.ts'
import { createBindingController } from '../authority/binding-controller.ts'
import { createBroker } from '../broker/broker.ts'
import { startBroker } from '../broker/start-broker.ts'
import { createBridgeController } from '../bridge/create-bridge-controller.ts'
import { createClusterController } from '../cluster/create-cluster-controller.ts'
import { createMachineController } from '../machine/create-machine-controller.ts'
import { createTemplateController } from '../template/create-template-controller.ts'
import type { ControllerWorld } from './start-controller.ts'

/** Clusters are looked at again ten times more seldom than machines: nothing of them stands in the cloud. */
const VERIFY_SYNCS = 10

/** Everything that only a leader does, made anew for each lead: what it remembers is true only while nobody else acts. */
export async function lead(
  world: ControllerWorld,
  { signal, events }: { readonly signal: AbortSignal; readonly events: EventRecorder },
): Promise<void> {
  const acts = actsOf(world)
  const controllers = controllersOf(world, { events, acts })
  await using _broker = await brokerOf(world, acts)
  const ending = new AbortController()
  const until = AbortSignal.any([signal, ending.signal])
  // One that breaks ends all: a process that does half of its work looks well.
  const running = controllers.map((controller) =>
    controller.run(until).catch((error: unknown) => {
      ending.abort()
      throw error
    }),
  )
  const ended = await Promise.allSettled(running)
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function actsOf({ settings, deps: { journal, logger }, clocks, mints, fence }: ControllerWorld): Acts {
  const clock = (): number => Math.floor(clocks.wall())
  return createActs({ journal, fence, controller: settings.identity, clock, logger, mints })
}

/** For programs of clusters; only who leads may act, so only who leads answers. */
async function brokerOf(world: ControllerWorld, acts: Acts): Promise<AsyncDisposable | undefined> {
  const { settings, deps, clocks, kube, informers, authority, proofKey } = world
  if (settings.broker === undefined) return undefined
  const { logger, meters } = deps
  const { listGraceMs } = settings
  const [clusters, machines] = [informers.informer(CLUSTERS, onlyIn(settings)), informers.informer(MACHINES, onlyIn(settings))]
  const broker = createBroker({ kube, clusters, machines, authority, acts, proofKey, listGraceMs, clocks, logger, meters })
  const running = await startBroker(broker, settings.broker, { clocks, logger })
  logger.info('broker is at work', { url: running.url })
  return running
}

type Making = { readonly events: EventRecorder; readonly acts: Acts }

function controllersOf(world: ControllerWorld, { events, acts }: Making): readonly Controller[] {
  const { settings, deps, clocks, kube, informers, authority, fence, capi, proofKey } = world
  const { journal, logger, meters } = deps
  const clock = (): number => Math.floor(clocks.wall())
  const lives = createLives({ journal, clock, logger })
  const scope = {
    ...onlyIn(settings),
    ...(settings.watchFilter !== undefined && { watchFilter: settings.watchFilter }),
  }
  const common = { kube, informers, authority, clocks, logger, meters }
  const machines = createMachineController({
    ...common,
    ...scope,
    events,
    acts,
    lives,
    fence,
    proofKey,
    capi,
    listGraceMs: settings.listGraceMs,
    syncMs: settings.syncMs,
    concurrency: settings.concurrency,
    systemNamespace: settings.systemNamespace,
    ids: createIdSource(clock),
  })
  return [
    createBindingController({ ...common, ...onlyIn(settings) }),
    createClusterController({ ...common, ...scope, events, coreClusters: capi.clusters, verifyMs: settings.syncMs * VERIFY_SYNCS }),
    machines.controller,
    createTemplateController({ ...common, ...onlyIn(settings) }),
    ...(settings.kdcBridge ? [createBridgeController({ ...common, ...onlyIn(settings), events, coreVersion: capi.clusters.version })] : []),
  ]
}

function onlyIn({ namespace }: ControllerWorld['settings']): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace }
}
