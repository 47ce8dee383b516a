import assert from 'node:assert/strict'
import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { EventNote } from '@ascribe/kube'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { createIdSource } from '@ascribe/units'
import type { Act } from '../../src/accounts/types.ts'
import { recordedDrives, recordedServer } from '../../src/machine/marks.ts'
import { addMachine, addSurroundings } from './machine-objects.ts'
import { startProcess } from './machine-process.ts'
import { NAMESPACE, REGION } from './machine-types.ts'
import type { MachineWorldUnderTest } from './machine-types.ts'

export { joinNode } from './machine-objects.ts'
export { CAPI, NAMESPACE, REGION } from './machine-types.ts'
export type { MachineWorldUnderTest, Process } from './machine-types.ts'

const OWNER = 'user@example.com'

/** Kubernetes, the cloud and a clock that only we move. */
export async function startMachineWorld(startKube: () => Promise<KubeUnderTest>): Promise<MachineWorldUnderTest> {
  const under = await startKube()
  const connection = await createKubeConnection({ kubeconfig: under.kubeconfig })
  const kube = createKubeClient(connection)
  const cloud = await startSandboxCloud({
    seed: 11,
    clock: 'frozen',
    startAt: Date.UTC(2026, 9, 1),
    knobs: { listLagMs: 20_000, uuidContains: '404' },
  })
  const user = cloud.users.find(({ email }) => email === OWNER)
  assert.ok(user)
  cloud.changeUser(OWNER, { paid: 1_000_000 })
  const owner = { email: OWNER, uuid: user.uuid }
  const origin = new URL(cloud.regions[REGION]?.api ?? '')
  const connect = (): CloudSigma =>
    createCloudSigma({
      endpoint: { region: REGION, apiUrl: origin, origin: origin.origin },
      authenticator: createBasicAuthenticator({ username: owner.email, password: user.password }),
      wait: async () => {},
      random: () => 0.5,
      now: () => cloud.clock.now(),
    })
  const eyes = connect()
  const [image] = await eyes.libdrives.list()
  const [vlan] = await eyes.vlans.list()
  assert.ok(image !== undefined && vlan !== undefined)
  const ids = createIdSource(() => cloud.clock.now())
  const events: EventNote[] = []
  const acts: Act[] = []
  const world: MachineWorldUnderTest = {
    cloud,
    kube,
    owner,
    image: image.uuid,
    vlan: vlan.uuid,
    eyes,
    events,
    acts,
    pin: { kind: 'Owner', userUUID: owner.uuid, region: REGION, binding: 'user' },
    selection: undefined,
    process: (options = {}) => startProcess({ world, connect, ids }, options),
    addMachine: async (name, spec) => addMachine(world, name, spec),
    machine: async (name) => kube.tryGet(MACHINES, { namespace: NAMESPACE, name }),
    async annotate(name, annotations) {
      await kube.patch(MACHINES, { namespace: NAMESPACE, name }, { patch: { type: 'merge', body: { metadata: { annotations } } } })
    },
    async until(process, name, done) {
      for (let run = 0; run < 200; run += 1) {
        const result = await process.reconcile(name)
        const machine = await world.machine(name)
        if (done(machine)) return machine
        assert.ok(!process.isDead, 'the process died')
        world.advance(Math.min(result?.requeueAfterMs ?? 1_000, 600_000))
      }
      const machine = await world.machine(name)
      assert.fail(`it did not come to that: ${JSON.stringify(machine?.status?.conditions, undefined, 1)}`)
    },
    async running(process, name) {
      const machine = await world.until(process, name, (each) => conditionOf(each, 'Ready')?.status === 'True')
      assert.ok(machine)
      return machine
    },
    async deleted(process, name) {
      await kube.delete(MACHINES, { namespace: NAMESPACE, name })
      await world.until(process, name, (machine) => machine === undefined)
    },
    advance: (ms) => cloud.clock.advance(ms),
    async servers() {
      cloud.clock.advance(20_001)
      return eyes.servers.list({}, { whole: true })
    },
    async drives() {
      cloud.clock.advance(20_001)
      return eyes.drives.list({}, { whole: true })
    },
    now: () => cloud.clock.now(),
    async [Symbol.asyncDispose]() {
      await eyes[Symbol.asyncDispose]()
      await connection[Symbol.asyncDispose]()
      await cloud[Symbol.asyncDispose]()
      await under[Symbol.asyncDispose]()
    },
  }
  await addSurroundings(world)
  return world
}

export function conditionOf(
  machine: CloudSigmaMachine | undefined,
  type: string,
): { readonly status: string; readonly reason?: string; readonly message?: string } | undefined {
  return machine?.status?.conditions?.find((each) => each.type === type)
}

/** Exactly one server and as many drives as the machine has disks, all the owner's, all on the object. */
export async function assertExactlyOnce(world: MachineWorldUnderTest, machine: CloudSigmaMachine): Promise<void> {
  const servers = await world.servers()
  assert.deepEqual(
    servers.map(({ uuid }) => uuid),
    [recordedServer(machine)],
  )
  assert.equal(servers[0]?.status, 'running')
  assert.equal(servers[0]?.owner?.uuid, world.owner.uuid)
  assert.deepEqual((await world.drives()).map(({ uuid }) => uuid).toSorted(), recordedDrives(machine).map(String).toSorted())
}

/** Nothing stands in the cloud any more. */
export async function assertNothingStands(world: MachineWorldUnderTest): Promise<void> {
  assert.deepEqual(await world.servers(), [])
  assert.deepEqual(await world.drives(), [])
}
