import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import { MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { createInformers, createKubeConnection, openFence, systemClocks } from '@ascribe/kube'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { createIdSource } from '@ascribe/units'
import type { Authority } from '../src/authority/types.ts'
import { createMachineController } from '../src/machine/create-machine-controller.ts'
import { CAPI, NAMESPACE, REGION, conditionOf, startMachineWorld } from './support/machine-world.ts'
import type { MachineWorldUnderTest } from './support/machine-world.ts'
import { until } from './support/until.ts'

// The controller as it runs: real caches, a real queue, real time. Everything is looked at once an hour, so that only changes can wake it.

const HOUR_MS = 3_600_000

type Running = AsyncDisposable & { readonly changed: (namespace?: string) => void }

async function run(world: MachineWorldUnderTest, kubeconfig: string, authority: Partial<Authority> = {}): Promise<Running> {
  const connection = await createKubeConnection({ kubeconfig })
  const informers = createInformers({ connection })
  const user = world.cloud.users.find(({ email }) => email === world.owner.email)
  const url = new URL(world.cloud.regions[REGION]?.api ?? '')
  const cloud = createCloudSigma({
    endpoint: { region: REGION, apiUrl: url, origin: url.origin },
    authenticator: createBasicAuthenticator({ username: world.owner.email, password: user?.password ?? '' }),
  })
  const account = { kind: 'Owner' as const, userUUID: world.owner.uuid, region: REGION, email: world.owner.email }
  const handlers = new Set<(namespace: string | undefined) => void>()
  const { controller } = createMachineController({
    kube: world.kube,
    informers,
    events: { record: () => {}, flush: async () => {}, [Symbol.asyncDispose]: async () => {} },
    authority: {
      select: async () => world.selection ?? { outcome: 'selected', pin: world.pin, account },
      authorize: () => account,
      cloudFor: async () => cloud,
      admit: () => undefined,
      limits: () => {
        throw new Error('not asked by machines')
      },
      explain: () => undefined,
      verify: async () => {},
      onChange: (handler) => {
        handlers.add(handler)
        return () => void handlers.delete(handler)
      },
      ...authority,
    },
    acts: { perform: async (_act, call) => call(), observe: () => {} },
    lives: { observe: async () => ({ isSettled: true }) },
    fence: openFence,
    proofKey: 'key',
    clocks: systemClocks,
    syncMs: HOUR_MS,
    capi: CAPI,
    logger: silentLogger,
    meters: silentMeters,
    ids: createIdSource(() => Date.now()),
  })
  const ending = new AbortController()
  const running = controller.run(ending.signal)
  return {
    changed: (namespace) => handlers.forEach((handler) => handler(namespace)),
    async [Symbol.asyncDispose]() {
      ending.abort()
      await running
      await informers[Symbol.asyncDispose]()
      await cloud[Symbol.asyncDispose]()
      await connection[Symbol.asyncDispose]()
    },
  }
}

const ready = (machine: CloudSigmaMachine | undefined): boolean => conditionOf(machine, 'Ready')?.status === 'True'
const waits = (machine: CloudSigmaMachine | undefined, reason: string): boolean => conditionOf(machine, 'Ready')?.reason === reason

test('createMachineController() wakes machines for what they wait for: bootstrap data, a pause that ends, an owner who is bound (R-40)', async () => {
  await using kube = await startSandboxKube()
  await using world = await startMachineWorld(async () => kube)
  world.cloud.clock.run()
  world.cloud.setKnobs({ cloneMs: 200, startMs: 200, stopMs: 100, listLagMs: 0 })
  world.selection = { outcome: 'refused', reason: 'OwnerNotAuthorized', message: 'nobody is bound' }
  await using controller = await run(world, kube.kubeconfig)
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) await world.addMachine(name)
  await world.annotate('b', { 'cluster.x-k8s.io/paused': 'true' })
  await world.kube.patch(
    CAPI.machines,
    { namespace: NAMESPACE, name: 'c' },
    { patch: { type: 'merge', body: { spec: { bootstrap: { dataSecretName: null } } } } },
  )
  await until(async () => waits(await world.machine('a'), 'OwnerNotAuthorized'))
  world.selection = undefined
  controller.changed(NAMESPACE)
  await until(async () => ready(await world.machine('a')) && ready(await world.machine('d')))
  await until(async () => waits(await world.machine('c'), 'WaitingForBootstrapData') && waits(await world.machine('b'), 'Paused'))
  await world.annotate('b', { 'cluster.x-k8s.io/paused': null })
  await world.kube.patch(
    CAPI.machines,
    { namespace: NAMESPACE, name: 'c' },
    { patch: { type: 'merge', body: { spec: { bootstrap: { dataSecretName: 'c-bootstrap' } } } } },
  )
  await until(async () => ready(await world.machine('b')) && ready(await world.machine('c')))
  assert.equal(world.cloud.servers().length, names.length)
  for (const name of names) await world.kube.delete(MACHINES, { namespace: NAMESPACE, name })
  await until(async () => (await world.kube.list(MACHINES)).items.length === 0)
  assert.deepEqual(world.cloud.servers(), [])
})
