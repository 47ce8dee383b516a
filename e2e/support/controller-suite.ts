import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaMachine, Condition } from '@ascribe/kinds'
import type { LoggedCall } from '@ascribe/sandbox/cloud'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { OTHER, USER, eventually, openControllerWorld } from './controller-world.ts'
import type { ControllerWorld } from './controller-world.ts'

const QUICK = ['--sync', '1s', '--list-grace', '1s']

/** `ascribe controller` as a process, on an API server: the scripted one, or a real one. */
export function controllerSuite(startKube: () => Promise<KubeUnderTest>): void {
  describe('ascribe controller', () => {
    let world: ControllerWorld
    before(async () => {
      world = await openControllerWorld(startKube)
    })
    after(async () => world?.[Symbol.asyncDispose]())

    const conditionOf = async (namespace: string, name: string, type: string): Promise<Condition | undefined> =>
      (await world.machines(namespace))
        .find(({ metadata }) => metadata.name === name)
        ?.status?.conditions?.find((each) => each.type === type)
    const isUp = ({ status }: CloudSigmaMachine): boolean =>
      status?.initialization?.provisioned === true && status.instanceState === 'running'
    const allUp = (namespace: string, count: number): Promise<readonly CloudSigmaMachine[]> =>
      eventually(
        async () => {
          const machines = await world.machines(namespace)
          return machines.length === count && machines.every(isUp) && machines
        },
        async () => (await world.machines(namespace)).map(({ metadata, status }) => [metadata.name, status]),
      )
    const allGone = async (namespace: string, email: string): Promise<void> => {
      for (const { metadata } of await world.machines(namespace)) await world.remove(namespace, metadata.name)
      await eventually(
        async () => (await world.machines(namespace)).length === 0 || undefined,
        async () =>
          (await world.machines(namespace)).map(({ metadata, status }) => [metadata.name, metadata.finalizers, status?.conditions]),
      )
      assert.deepEqual(world.servers(email), [])
      assert.equal(await world.drives(email), 0, 'no drive is left (R-16, R-25)')
    }

    test('makes a machine in its owner’s account and nobody else’s, says where it is healthy, and deletes it without a leak', async () => {
      await using running = await world.controller(QUICK)
      assert.deepEqual(Object.keys(running.ready), ['ready', 'health', 'metrics'])
      assert.equal((await fetch(`${running.ready.health}/healthz`)).status, 200)
      assert.equal((await fetch(`${running.ready.health}/readyz`)).status, 200)
      await world.owner('one', USER)
      await world.machine('one', 'm0')
      const [machine] = await allUp('one', 1)
      const [server, ...others] = world.servers(USER)
      assert.deepEqual(others, [])
      assert.equal(machine?.spec.providerID, `cloudsigma://${server?.uuid}`)
      assert.equal(machine?.status?.account?.userUUID, world.userOf(USER))
      assert.deepEqual(world.servers(OTHER), [])
      assert.deepEqual(world.servers('platform@example.com'), [])
      const metrics = await (await fetch(`${running.ready.metrics}/metrics`)).text()
      for (const name of [
        'controller_runtime_reconcile_total',
        'workqueue_depth',
        'rest_client_requests_total',
        'ascribe_token_cache_hits_total',
      ])
        assert.match(metrics, new RegExp(`^${name}`, 'm'))
      await allGone('one', USER)
      running.kill('SIGTERM')
      assert.equal((await running.ended).code, 0)
    })

    test('kill -9 at any instant: the next process makes what is missing, and nothing twice', async () => {
      await world.owner('kill', USER)
      const count = 4
      for (let index = 0; index < count; index += 1) await world.machine('kill', `m${index}`)
      const dir = world.dir()
      // The instants are spread over the making of machines, and one is after a POST whose answer nobody read.
      for (const afterPosts of [1, 3, 6]) {
        const before = world.cloud.calls().length
        const running = await world.controller(QUICK, dir)
        await eventually(() => mutationsOf(world.cloud.calls().slice(before)).length >= afterPosts || isDone(world, count))
        running.kill('SIGKILL')
        await running.exited
      }
      await using last = await world.controller(QUICK, dir)
      await allUp('kill', count)
      assert.equal(world.servers(USER).length, count)
      assert.equal(await world.drives(USER), count)
      await allGone('kill', USER)
      assert.doesNotMatch(last.stderr(), /kcs-secret|Bearer |eyJ[A-Za-z0-9]/)
    })

    test('5.7: while OAuth is down running machines are untouched and new ones wait; then everything converges without a stampede', async () => {
      using _ = { [Symbol.dispose]: () => world.cloud.clearFaults() }
      await using running = await world.controller(QUICK)
      await world.owner('outage', USER)
      await world.machine('outage', 'old')
      await allUp('outage', 1)
      for (const step of ['service-token', 'rpt', 'impersonate'] as const) world.cloud.addFault({ match: { step }, does: { status: 503 } })
      world.cloud.revokeTokens()
      const before = world.cloud.calls().length
      for (const name of ['new-1', 'new-2', 'new-3']) await world.machine('outage', name)
      await eventually(async () => (await conditionOf('outage', 'new-3', 'IdentityReady'))?.reason === 'OAuthUnavailable')
      assert.equal((await conditionOf('outage', 'new-3', 'IdentityReady'))?.status, 'Unknown')
      const [server] = world.servers(USER)
      assert.equal(server?.status, 'running')
      assert.deepEqual(mutationsOf(world.cloud.calls().slice(before)), [])
      world.cloud.clearFaults()
      const healed = world.cloud.calls().length
      await allUp('outage', 4)
      const minting = world.cloud
        .calls()
        .slice(healed)
        .filter(({ step }) => step !== 'api')
      // One owner: a pair, a token, and at most a probe or two of the breakers.
      assert.ok(minting.length <= 12, `${minting.length} calls of minting after the outage`)
      assert.equal(world.servers(USER).length, 4)
      await allGone('outage', USER)
      assert.equal(running.stderr().includes('kcs-secret'), false)
    })

    test('a binding that is revoked stops new machines at once; what stands is deleted with the owner’s account', async () => {
      await using _ = await world.controller(QUICK)
      const binding = await world.owner('revoked', OTHER)
      await world.machine('revoked', 'old')
      await allUp('revoked', 1)
      await world.kube.delete(OWNER_BINDINGS, { name: binding })
      await world.machine('revoked', 'new')
      await eventually(async () => (await conditionOf('revoked', 'new', 'Ready'))?.reason === 'OwnerNotAuthorized')
      assert.equal(world.servers(OTHER).length, 1)
      await allGone('revoked', OTHER)
    })

    test('the user is gone when a machine is deleted: the delete is blocked with the reason, and nothing is said to be gone (ADR 0086)', async () => {
      await using _ = await world.controller(QUICK)
      const email = 'leaving@example.com'
      world.cloud.addUser({ email })
      await world.owner('leaving', email)
      await world.machine('leaving', 'm')
      await allUp('leaving', 1)
      world.cloud.changeUser(email, { removed: true })
      world.cloud.revokeTokens()
      await world.remove('leaving', 'm')
      await eventually(
        async () => {
          const conditions = (await world.machines('leaving'))[0]?.status?.conditions ?? []
          return conditions.some(({ reason }) => reason === 'OwnerNotFound')
        },
        () => world.machines('leaving'),
      )
      const [machine] = await world.machines('leaving')
      assert.ok(machine?.metadata.finalizers?.length === 1 && machine.metadata.deletionTimestamp !== undefined)
      assert.equal(world.cloud.servers().length, 1)
    })

    test(
      'two leaders never write: one that was stopped and wakes finds the lease gone, sends nothing, and ends',
      { timeout: 180_000 },
      async () => {
        await world.owner('lead', USER)
        await using first = await world.controller([...QUICK, '--leader-elect'])
        const leader = await eventually(async () => (await world.leader()) || undefined)
        await using second = await world.controller([...QUICK, '--leader-elect'])
        for (let index = 0; index < 3; index += 1) await world.machine('lead', `m${index}`)
        await eventually(() => mutationsOf(world.cloud.calls()).length > 0 && world.servers(USER).length > 0)
        first.kill('SIGSTOP')
        await eventually(async () => (await world.leader()) !== leader && (await world.leader()) !== '')
        await allUp('lead', 3)
        // What of the first's requests was under way when it was stopped is over; from here on every call is the second's.
        const before = world.cloud.calls().length
        first.kill('SIGCONT')
        const { code, stderr } = await first.ended
        assert.equal(code, 1)
        assert.match(stderr, /leadership is lost/)
        assert.deepEqual(mutationsOf(world.cloud.calls().slice(before)), [])
        assert.equal(world.servers(USER).length, 3)
        assert.equal(await world.drives(USER), 3)
        await allGone('lead', USER)
        second.kill('SIGTERM')
        assert.equal((await second.ended).code, 0)
      },
    )

    test('R-1: no call of any test went to a host outside the table, and all were sent as an owner', async () => {
      const port = new URL(world.cloud.oauthUrl).port
      const hosts = new Set(world.cloud.calls().map(({ host }) => host))
      const table = new Set([`direct.zrh.localhost:${port}`, `direct.sjc.localhost:${port}`, `127.0.0.1:${port}`])
      const looking = new URL(world.cloud.regions['zrh']?.api ?? '').host
      assert.deepEqual(
        [...hosts.difference(table)].filter((host) => host !== looking),
        [],
      )
    })
  })
}

/** Calls that changed something in the cloud, or may have: a token that was revoked changes nothing. */
function mutationsOf(calls: readonly LoggedCall[]): readonly LoggedCall[] {
  return calls.filter(({ step, method, status }) => step === 'api' && method !== 'GET' && status !== 401)
}

function isDone(world: ControllerWorld, count: number): boolean {
  return world.servers(USER).filter(({ status }) => status === 'running').length >= count
}
