import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverSpecOf } from '@ascribe/cloudsigma'
import { CLUSTERS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { CORE_CLUSTERS, USER, eventually, openControllerWorld } from './support/controller-world.ts'
import type { ControllerWorld } from './support/controller-world.ts'
import { actOf, assertHours, eyes, mountedBytes } from './support/machine-truth.ts'
import type { MachineEvent } from './support/machine-truth.ts'
import { ask, askLines, run } from './support/process.ts'

const QUICK = ['--sync', '1s', '--list-grace', '1s']

/** Namespace, binding and cluster in the second region. */
async function ownerInSjc(world: ControllerWorld, namespace: string): Promise<void> {
  await world.bind(namespace, USER)
  const core = await world.kube.create(CORE_CLUSTERS, { metadata: { namespace, name: 'c' }, spec: {} })
  await world.kube.patchStatus(
    CORE_CLUSTERS,
    { namespace, name: 'c' },
    { patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } } },
  )
  const owner = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster', name: 'c', uid: core.metadata.uid }
  await world.kube.create(CLUSTERS, {
    metadata: { namespace, name: 'c', ownerReferences: [owner] },
    spec: { region: 'sjc', userEmail: USER },
  })
}

const isUp = ({ status }: CloudSigmaMachine): boolean => status?.initialization?.provisioned === true && status.instanceState === 'running'

test('hours of machines are usage of the owner’s organization, and acts are in its access log: two regions, resize, kill -9', async () => {
  await using world = await openControllerWorld(() => startSandboxKube())
  const data = world.dir()
  const owner = world.userOf(USER)
  const acme = (await ask<{ id: string }>(['orgs', 'create', '--name', 'Acme', '--data', data])).id
  await world.owner('team', USER)
  await ownerInSjc(world, 'far')
  await using first = await world.controller(QUICK, data)
  await world.machine('team', 'm0')
  const [image] = await eyes(world, 'sjc').libdrives.list()
  await world.machine('far', 'm1', image?.uuid)
  await eventually(
    async () => (await world.machines()).filter(isUp).length === 2,
    async () => (await world.machines()).map(({ status }) => status),
  )
  first.kill('SIGKILL')
  await first.exited
  // Nobody watches: it is stopped, gets another size, and is started again.
  const cloud = eyes(world, 'zrh')
  const [server] = world.servers(USER).filter(({ region }) => region === 'zrh')
  assert.ok(server)
  await cloud.servers.act(server.uuid, 'stop')
  await eventually(async () => (await cloud.servers.get(server.uuid)).status === 'stopped')
  await cloud.servers.update(server.uuid, { ...serverSpecOf(await cloud.servers.get(server.uuid)), cpuMhz: 2400 })
  await cloud.servers.act(server.uuid, 'start')
  await eventually(async () => (await cloud.servers.get(server.uuid)).status === 'running')
  await using second = await world.controller(QUICK, data)
  await eventually(async () => {
    const [machine] = await world.machines('team')
    return machine?.metadata.annotations?.['ascribe.dev/metered']?.includes('2400')
  })
  const mounted = await mountedBytes(world)
  await world.remove('team', 'm0')
  await world.remove('far', 'm1')
  await eventually(async () => (await world.kube.list(MACHINES)).items.length === 0)
  second.kill('SIGTERM')
  assert.equal((await second.ended).code, 0)

  // The owner is mapped only now: what was held aside appears.
  await ask(['owners', 'map', owner, '--org', acme, '--data', data])
  // No settler runs: a command that asks for what was used ships the journal, and writes what was done into the owner's log.
  const records = await askLines<MachineEvent>(['events', 'list', '--org', acme, '--data', data])
  assert.ok(records.length >= 3 && records.every(({ auth_id: id }) => id === `cloudsigma:${owner}`))
  const exported = await run(['audit', 'export', '--org', acme, '--data', data])
  assert.equal(exported.code, 0, exported.stderr)
  const acts = exported.stdout.split('\n').flatMap(actOf)
  assertHours(world, { records, acts, mounted })
  const verbs = acts.map(({ verb }) => verb)
  for (const verb of ['clone_drive', 'create_server', 'start', 'stop', 'delete_server'])
    assert.ok(verbs.includes(verb), `${verb} is in the log: ${verbs.join()}`)
  assert.equal(verbs.filter((verb) => verb === 'create_server').length, 2)
  assert.deepEqual(new Set(acts.map(({ binding }) => binding)), new Set(['team-owner', 'far-owner']))
  assert.doesNotMatch(exported.stdout, /kcs-secret|eyJ[A-Za-z0-9]/)
})
