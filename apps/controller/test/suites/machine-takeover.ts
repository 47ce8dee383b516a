import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBasicAuthenticator, createCloudSigma, serverSpecOf } from '@ascribe/cloudsigma'
import type { CloudSigma, Server } from '@ascribe/cloudsigma'
import { ANNOTATIONS, FINALIZERS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import type { AccountPin } from '../../src/authority/pin.ts'
import type { Authority } from '../../src/authority/types.ts'
import { recordedDrives } from '../../src/machine/marks.ts'
import { agreeToAbandon, askAbandon, withdrawAbandon } from '../../src/abandon/ask-abandon.ts'
import { importMachines, undoImport } from '../../src/takeover/import-machines.ts'
import type { ImportOptions } from '../../src/takeover/import-machines.ts'
import { CAPI, NAMESPACE, REGION, conditionOf, startMachineWorld } from '../support/machine-world.ts'
import type { MachineWorldUnderTest } from '../support/machine-world.ts'

const KEY = { namespace: NAMESPACE, name: 'old' }
const GIB = 1_073_741_824

/** A machine as the reference provider left it: finalizer, provider id, status, meta, drives by name; and a volume of its storage driver. */
async function addReferenceMachine(
  world: MachineWorldUnderTest,
  { cloud = world.eyes, hasId = true }: { readonly cloud?: CloudSigma; readonly hasId?: boolean } = {},
): Promise<{ readonly server: Server; readonly volume: string }> {
  await world.addMachine('old')
  const [root, volume] = [
    await cloud.drives.create({ name: 'old-drive-0', sizeBytes: GIB }),
    await cloud.drives.create({ name: 'pvc-1', sizeBytes: GIB }),
  ]
  world.advance(5_000)
  const { metadata } = await world.kube.get(MACHINES, KEY)
  const { object: server } = await cloud.servers.create({
    name: 'old',
    cpuMhz: 2000,
    memBytes: 2 * GIB,
    vncPassword: 'kubernetes',
    drives: [{ drive: root.object.uuid, bootOrder: 1 }, { drive: volume.object.uuid }],
    meta: { 'machine-uid': metadata.uid ?? '', cluster: 'demo', pool: 'workers' },
  })
  await cloud.servers.act(server.uuid, 'start')
  await world.kube.patch(MACHINES, KEY, {
    patch: {
      type: 'merge',
      body: { metadata: { finalizers: [FINALIZERS.machine] }, ...(hasId && { spec: { providerID: `cloudsigma://${server.uuid}` } }) },
    },
  })
  if (hasId)
    await world.kube.patchStatus(MACHINES, KEY, { patch: { type: 'merge', body: { status: { ready: true, instanceID: server.uuid } } } })
  world.advance(60_000)
  return { server, volume: volume.object.uuid }
}

/** What a person who runs the import has: the same authority as the controller, over two accounts. */
function importer(world: MachineWorldUnderTest, isDryRun = false): ImportOptions {
  const platformUser = world.cloud.users.find(({ isPlatform }) => isPlatform)
  assert.ok(platformUser)
  const platform: AccountPin = { kind: 'PlatformAccount', userUUID: platformUser.uuid, region: REGION, impersonator: 'default' }
  const clientOf: Authority['cloudFor'] = async ({ pin }) => (pin.kind === 'Owner' ? world.eyes : platformCloud(world))
  let count = 0
  return {
    kube: world.kube,
    authority: {
      select: async ({ cluster }) => {
        const pin = cluster.metadata.annotations?.[ANNOTATIONS.fallback] === 'PlatformAccount' ? platform : world.pin
        return (
          world.selection ?? { outcome: 'selected', pin, account: { kind: pin.kind, userUUID: pin.userUUID, region: REGION, email: '' } }
        )
      },
      cloudFor: clientOf,
    },
    capi: CAPI,
    clocks: { monotonic: () => world.now(), wall: () => world.now() },
    ids: () => `01900000-0000-7000-8000-00000000040${(count += 1)}`,
    by: 'anna',
    isDryRun,
  }
}

function platformCloud(world: MachineWorldUnderTest): CloudSigma {
  const user = world.cloud.users.find(({ isPlatform }) => isPlatform)
  assert.ok(user)
  const url = new URL(world.cloud.regions[REGION]?.api ?? '')
  return createCloudSigma({
    endpoint: { region: REGION, apiUrl: url, origin: url.origin },
    authenticator: createBasicAuthenticator({ username: user.email, password: user.password }),
    wait: async () => {},
  })
}

const read = async (world: MachineWorldUnderTest): Promise<CloudSigmaMachine> => world.kube.get(MACHINES, KEY)

/** From the reference provider to us and back, and what is given up at the end. */
export function machineTakeoverSuite(startKube: () => Promise<KubeUnderTest>): void {
  test('importMachines() with --dry-run reports and writes nothing, neither here nor in the cloud', async () => {
    await using world = await startMachineWorld(startKube)
    const { server } = await addReferenceMachine(world)
    const before = await read(world)
    world.cloud.forgetCalls()
    const [row] = await importMachines(importer(world, true))
    assert.equal(row?.outcome, 'would import')
    assert.equal(row.server, server.uuid)
    assert.equal(row.account, 'Owner')
    assert.equal((await read(world)).metadata.resourceVersion, before.metadata.resourceVersion)
    assert.ok(world.cloud.calls().every(({ method }) => method === 'GET'))
  })

  test('importMachines() gives nobody a server that another machine names, or that its mark names (R-15, T1)', async () => {
    await using world = await startMachineWorld(startKube)
    const { server } = await addReferenceMachine(world)
    // A tenant's machine of a first come, first served: it names the server of another.
    await world.addMachine('thief')
    const thief = { namespace: NAMESPACE, name: 'thief' }
    await world.kube.patch(MACHINES, thief, {
      patch: {
        type: 'merge',
        body: { metadata: { finalizers: [FINALIZERS.machine] }, spec: { providerID: `cloudsigma://${server.uuid}` } },
      },
    })
    const rows = await importMachines(importer(world))
    assert.deepEqual(Object.fromEntries(rows.map(({ machine, outcome }) => [machine, outcome])), {
      [`${NAMESPACE}/old`]: 'imported',
      [`${NAMESPACE}/thief`]: 'refused',
    })
    assert.match(rows.find(({ machine }) => machine.endsWith('thief'))?.notes.join() ?? '', /is that of tenant-a\/old too/)
    assert.equal((await importMachines({ ...importer(world, true), namespace: NAMESPACE, name: 'thief' }))[0]?.outcome, 'refused')
  })

  test('importMachines() stamps a machine, which then runs on with not one change in the cloud; undo gives it back as it was', async () => {
    await using world = await startMachineWorld(startKube)
    await addReferenceMachine(world)
    const before = await read(world)
    assert.equal((await importMachines(importer(world)))[0]?.outcome, 'imported')
    assert.equal((await importMachines(importer(world)))[0]?.outcome, 'skipped')
    const process = world.process()
    const machine = await world.running(process, 'old')
    for (let look = 0; look < 4; look += 1) world.advance((await process.reconcile('old'))?.requeueAfterMs ?? 60_000)
    assert.deepEqual(world.acts, [])
    assert.equal(machine.spec.providerID, before.spec.providerID)
    const [undone] = await undoImport(importer(world))
    assert.equal(undone?.outcome, 'undone')
    const after = await read(world)
    assert.deepEqual(after.metadata.annotations ?? {}, {})
    assert.deepEqual(after.spec, before.spec)
    assert.deepEqual(after.metadata.finalizers, before.metadata.finalizers)
    assert.equal(after.status?.instanceID, before.status?.instanceID)
  })

  test('reconcile() deletes an imported machine with its own drive, and leaves the volume of a storage driver (R-22, R-25)', async () => {
    await using world = await startMachineWorld(startKube)
    const { volume } = await addReferenceMachine(world)
    const [row] = await importMachines(importer(world))
    assert.match(row?.notes.join() ?? '', new RegExp(`left alone.*${volume}`))
    await world.deleted(world.process(), 'old')
    assert.deepEqual(await world.servers(), [])
    assert.deepEqual(
      (await world.drives()).map(({ uuid }) => uuid),
      [volume],
    )
  })

  test('importMachines() leaves a server of the platform’s account there, operated with those credentials (5.6)', async () => {
    await using world = await startMachineWorld(startKube)
    await using cloud = platformCloud(world)
    world.cloud.changeUser('platform@example.com', { paid: 1_000_000 })
    const { server } = await addReferenceMachine(world, { cloud })
    const [row] = await importMachines(importer(world))
    assert.equal(row?.account, 'PlatformAccount')
    assert.match(row.notes.join(), /platform’s account/)
    const process = world.process({ authority: { cloudFor: async ({ pin }) => (pin.kind === 'PlatformAccount' ? cloud : world.eyes) } })
    const machine = await world.running(process, 'old')
    assert.equal(machine.status?.instanceID, server.uuid)
    assert.equal(conditionOf(machine, 'UsingPlatformAccount')?.status, 'True')
  })

  test('importMachines() finds a server without an id by its machine-uid, never by its name (R-15, R-24)', async () => {
    await using world = await startMachineWorld(startKube)
    const { server } = await addReferenceMachine(world, { hasId: false })
    assert.equal((await importMachines(importer(world, true)))[0]?.server, server.uuid)
    const current = await world.eyes.servers.get(server.uuid)
    await world.eyes.servers.update(server.uuid, { ...serverSpecOf(current), meta: {} })
    const [row] = await importMachines(importer(world, true))
    assert.equal(row?.outcome, 'refused')
    assert.match(row.notes.join(), /one of its name without a mark/)
  })

  test('importMachines() refuses what is not the owner’s, what contradicts itself, and an owner who is not bound; each with its reason', async () => {
    await using world = await startMachineWorld(startKube)
    const { server } = await addReferenceMachine(world)
    const refusal = async (): Promise<string> => {
      const [row] = await importMachines(importer(world))
      assert.equal(row?.outcome, 'refused', JSON.stringify(row))
      return row.notes.join()
    }
    await world.kube.patchStatus(MACHINES, KEY, {
      patch: { type: 'merge', body: { status: { instanceID: '00000000-0000-4000-8000-000000000403' } } },
    })
    assert.match(await refusal(), /a person has to say which/)
    await world.kube.patchStatus(MACHINES, KEY, { patch: { type: 'merge', body: { status: { instanceID: server.uuid } } } })
    world.selection = { outcome: 'refused', reason: 'OwnerNotAuthorized', message: 'no binding' }
    assert.match(await refusal(), /OwnerNotAuthorized/)
    world.selection = undefined
    world.cloud.happen({ event: 'change_owner', server: server.uuid, owner: 'other@example.com' })
    assert.match(await refusal(), /in neither the owner’s nor the platform’s account/)
    assert.deepEqual(recordedDrives(await read(world)), [])
  })

  test('undoImport() refuses a machine whose server was made after the import', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('old')
    await world.kube.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { finalizers: [FINALIZERS.machine] } } } })
    assert.match((await importMachines(importer(world)))[0]?.notes.join() ?? '', /has no server/)
    await world.running(world.process(), 'old')
    const [row] = await undoImport(importer(world))
    assert.equal(row?.outcome, 'refused')
  })

  test('askAbandon() needs a deletion and a reason, agreeToAbandon() another person; both can be withdrawn (5.7)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('old')
    const process = world.process()
    await world.running(process, 'old')
    const as = (by: string): Parameters<typeof agreeToAbandon>[0] => ({ kube: world.kube, key: KEY, by })
    await assert.rejects(askAbandon(as('anna'), 'the account is closed for good'), /is not being deleted/)
    await world.kube.delete(MACHINES, KEY)
    await assert.rejects(askAbandon(as('anna'), 'because'), /say why/)
    await assert.rejects(agreeToAbandon(as('boris')), /nobody asked/)
    const asked = await askAbandon(as('anna'), 'the account is closed for good')
    assert.equal(asked.leaves.drives.length, 1)
    await assert.rejects(agreeToAbandon(as('anna')), /Another person/)
    assert.equal((await withdrawAbandon(as('anna'))).askedBy, undefined)
    await askAbandon(as('anna'), 'the account is closed for good')
    assert.equal((await agreeToAbandon(as('boris'))).agreedBy, 'boris')
    await world.until(process, 'old', (machine) => machine === undefined)
    assert.equal(world.cloud.servers().length, 1)
  })
}
