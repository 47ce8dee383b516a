import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { ipamResources } from '../../src/machine/capi.ts'
import { recordedServer } from '../../src/machine/marks.ts'
import { KEY, hasReason } from '../support/machine-looks.ts'
import { NAMESPACE, conditionOf, startMachineWorld } from '../support/machine-world.ts'
import type { MachineWorldUnderTest, Process } from '../support/machine-world.ts'

const GIB = 1_073_741_824

/** A server of the owner's that no machine made: somebody's database. */
async function database({ eyes }: MachineWorldUnderTest): Promise<string> {
  const { object } = await eyes.servers.create({ name: 'database', cpuMhz: 1000, memBytes: GIB, vncPassword: 'x' })
  await eyes.servers.act(object.uuid, 'start')
  return object.uuid
}

/** Until the account is pinned and a drive is being cloned: a token stands on the object, and no server. */
async function begun(world: MachineWorldUnderTest, process: Process): Promise<void> {
  await world.addMachine('m')
  await world.until(process, 'm', (machine) => machine?.metadata.annotations?.[ANNOTATIONS.drives] !== undefined)
}

type Claim = (world: MachineWorldUnderTest, server: string) => Promise<unknown>
const CLAIMS: readonly (readonly [string, Claim])[] = [
  [
    'spec.providerID',
    ({ kube }, server) => kube.patch(MACHINES, KEY, { patch: { type: 'merge', body: { spec: { providerID: `cloudsigma://${server}` } } } }),
  ],
  [
    'status.instanceID',
    ({ kube }, server) => kube.patchStatus(MACHINES, KEY, { patch: { type: 'merge', body: { status: { instanceID: server } } } }),
  ],
]

/** What tenants can write on objects names nothing that the controller would take for its own. */
export function machineClaimsSuite(startKube: () => Promise<KubeUnderTest>): void {
  servers(startKube)
  addresses(startKube)
  quarantine(startKube)
}

function servers(startKube: () => Promise<KubeUnderTest>): void {
  for (const [where, claim] of CLAIMS)
    for (const isRestarted of [false, true]) {
      const when = isRestarted ? ', after a restart' : ''
      test(`reconcile() never adopts, stops or deletes a server that ${where} names and that it did not make${when} (R-15, H-9, T1)`, async () => {
        await using world = await startMachineWorld(startKube)
        const victim = await database(world)
        const first = world.process()
        await begun(world, first)
        await claim(world, victim)
        const process = isRestarted ? world.process() : first
        const held = await world.until(process, 'm', hasReason('Ready', 'WaitingForProof'))
        assert.ok(held !== undefined)
        assert.equal(recordedServer(held), undefined)
        await world.deleted(process, 'm')
        assert.equal((await world.eyes.servers.get(victim)).status, 'running')
        assert.deepEqual(
          (await world.servers()).map(({ uuid }) => uuid),
          [victim],
        )
        assert.deepEqual(await world.drives(), [], 'what was made for the machine is taken away all the same')
      })
    }

  test('reconcile() goes on with its own machine when somebody says that it is managed elsewhere: its hours and its end are not hidden (C-24, T1)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    await world.running(process, 'm')
    await world.annotate('m', { 'cluster.x-k8s.io/managed-by': 'somebody' })
    await world.deleted(process, 'm')
    assert.deepEqual([await world.servers(), await world.drives()], [[], []])
  })

  test('reconcile() finds its own server by its marks when the record of it was lost, and makes no second one (R-11, R-12)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const machine = await world.running(process, 'm')
    const server = recordedServer(machine)
    await world.annotate('m', { [ANNOTATIONS.server]: null })
    // Longer than what this process remembers of what it wrote.
    world.advance(60_000)
    const after = await world.until(process, 'm', (each) => each?.metadata.annotations?.[ANNOTATIONS.server] !== undefined)
    assert.equal(after?.metadata.annotations?.[ANNOTATIONS.server], server)
    assert.equal((await world.servers()).length, 1)
    await world.deleted(process, 'm')
    assert.deepEqual([await world.servers(), await world.drives()], [[], []])
  })
}

function addresses(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() neither uses nor gives back an IPAddressClaim that is not its own (C 4.6)', async () => {
    await using world = await startMachineWorld(startKube)
    const ipam = ipamResources()
    const pool = { apiGroup: 'ipam.cluster.x-k8s.io', kind: 'InClusterIPPool', name: 'pool' }
    const foreign = { namespace: NAMESPACE, name: 'm-nic-0' }
    await world.kube.create(ipam.addresses, {
      metadata: { namespace: NAMESPACE, name: 'given' },
      spec: { address: '10.0.0.7', prefix: 24, gateway: '10.0.0.1', poolRef: pool, claimRef: { name: 'm-nic-0' } },
    })
    // Of a machine of the same name that was deleted, or of somebody who wants this one's place.
    await world.kube.create(ipam.claims, { metadata: foreign, spec: { poolRef: pool } })
    await world.kube.patchStatus(ipam.claims, foreign, { patch: { type: 'merge', body: { status: { addressRef: { name: 'given' } } } } })
    await world.addMachine('m', { nics: [{ vlan: world.vlan, ipPoolRef: pool }] })
    const process = world.process()
    const held = await world.until(process, 'm', hasReason('Ready', 'WaitingForAddress'))
    assert.match(conditionOf(held, 'Ready')?.message ?? '', /m-nic-0 belongs to something else/)
    await world.deleted(process, 'm')
    assert.ok(await world.kube.tryGet(ipam.claims, foreign), 'it stays with whom it belongs to')
    assert.equal(world.cloud.servers().length, 0)
  })
}

function quarantine(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() makes no second one after an owner mismatch that it could not write down (R-2)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    let made = 0
    let isAway = false
    const kube = new Proxy(world.kube, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver)
        if (property !== 'patch' || !isAway) return value
        return () => Promise.reject(new Error('Kubernetes is away'))
      },
    })
    const process = world.process({
      perform: async (act, call) => {
        const result = await call()
        if (act.verb !== 'clone_drive') return result
        made += 1
        // As the cloud did it in production: the answer names somebody else; and Kubernetes cannot be written to just then.
        isAway = true
        return { ...result, owner: { uuid: '00000000-0000-4000-8000-000000000403' } }
      },
      deps: { kube },
    })
    await world.until(process, 'm', () => made > 0)
    assert.equal(made, 1)
    world.advance(120_000)
    isAway = false
    await world.until(process, 'm', hasReason('Ready', 'OwnerMismatch'))
    for (let look = 0; look < 4; look += 1) {
      const result = await process.reconcile('m')
      world.advance(result?.requeueAfterMs ?? 60_000)
    }
    assert.equal(made, 1)
    assert.match((await world.machine('m'))?.metadata.annotations?.[ANNOTATIONS.quarantine] ?? '', /"resource"/)
  })
}
