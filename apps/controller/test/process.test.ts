import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJournalWriter } from '@ascribe/journal'
import { CLUSTERS, OWNER_BINDINGS } from '@ascribe/kinds'
import { silentLogger, systemClock } from '@ascribe/kit'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import { createMeters, tryLock } from '@ascribe/service'
import { startController } from '../src/process/start-controller.ts'
import type { ControllerSettings } from '../src/process/settings.ts'
import { USER, openOwnersWorld } from './support/owners-world.ts'
import type { OwnersWorld } from './support/owners-world.ts'
import { until } from './support/until.ts'

let kube: SandboxKube
let world: OwnersWorld
let dir: string
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ascribe-process-'))
  world = await openOwnersWorld({ startKube: async () => (kube = await startSandboxKube()) })
  await world.secret()
  await world.impersonator()
})
after(async () => {
  await world[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

function settingsOf(over: Partial<ControllerSettings> = {}): ControllerSettings {
  const listener = { host: '127.0.0.1', port: 0 }
  return {
    kubeconfig: kube.kubeconfig,
    syncMs: 1000,
    listGraceMs: 1000,
    concurrency: 4,
    leaderElect: false,
    kdcBridge: false,
    systemNamespace: 'ascribe-system',
    identity: 'test',
    health: listener,
    metrics: listener,
    ...over,
  }
}

test('startController() of one namespace and one filter touches nothing else, reads no other namespace, and says that it is ready', async () => {
  await world.namespace('a')
  await world.namespace('b')
  await world.binding('a-user', { email: USER, namespace: 'a', isHeld: false })
  await world.binding('b-user', { email: USER, namespace: 'b', isHeld: false })
  const blue = { 'cluster.x-k8s.io/watch-filter': 'blue' }
  for (const namespace of ['a', 'b']) {
    for (const name of ['ours', 'plain']) await world.core(name, {}, namespace)
    await world.cluster('ours', {}, { namespace, labels: blue })
    await world.cluster('plain', {}, { namespace })
  }
  await using stack = new AsyncDisposableStack()
  const journal = stack.use(await openJournalWriter({ root: join(dir, 'journal'), tryLock, clock: systemClock, logger: silentLogger }))
  const before = kube.log.length
  const stopping = new AbortController()
  const failures: unknown[] = []
  const running = await startController(
    settingsOf({ namespace: 'a', watchFilter: 'blue' }),
    { cloud: {}, journal, audit: async () => {}, logger: silentLogger, meters: createMeters() },
    { signal: stopping.signal, stop: (error) => void failures.push(error) },
  )
  await until(async () => (await world.kube.get(CLUSTERS, { namespace: 'a', name: 'ours' })).status?.initialization?.provisioned)
  const ready = await fetch(`${running.health}/readyz`)
  assert.equal(ready.status, 200, await ready.text())
  stopping.abort()
  await running[Symbol.asyncDispose]()
  assert.deepEqual(failures, [])
  for (const [namespace, name] of [
    ['a', 'plain'],
    ['b', 'ours'],
    ['b', 'plain'],
  ] as const) {
    const { status, metadata } = await world.kube.get(CLUSTERS, { namespace, name })
    assert.deepEqual([status, metadata.finalizers ?? []], [undefined, []], `${namespace}/${name}`)
  }
  assert.equal(kube.get('cloudsigmaownerbindings', 'b-user')?.['status'], undefined)
  const namespaced = new Set(['cloudsigmaclusters', 'cloudsigmamachines', 'machines', 'clusters'])
  const agent = kube.log
    .slice(before)
    .filter(({ plural, verb, query }) => namespaced.has(plural) && verb === 'watch' && query['watch'] !== undefined)
  assert.deepEqual(new Set(agent.map(({ namespace }) => namespace)), new Set(['a']))
})

test('R-27: the last word is the server’s: neither cluster nor binding goes while a machine stands that no cache has seen', async () => {
  await world.namespace('unseen')
  await world.binding('unseen-user', { email: USER, namespace: 'unseen', isHeld: false })
  await world.core('late', {}, 'unseen')
  await world.cluster('late', {}, { namespace: 'unseen' })
  await using stack = new AsyncDisposableStack()
  const journal = stack.use(await openJournalWriter({ root: join(dir, 'unseen'), tryLock, clock: systemClock, logger: silentLogger }))
  const stopping = new AbortController()
  stack.defer(() => stopping.abort())
  const deps = { cloud: {}, journal, audit: async () => {}, logger: silentLogger, meters: createMeters() }
  stack.use(await startController(settingsOf({ namespace: 'unseen' }), deps, { signal: stopping.signal, stop: () => {} }))
  const key = { namespace: 'unseen', name: 'late' }
  await until(async () => (await world.kube.get(CLUSTERS, key)).status?.initialization?.provisioned)
  // From here on its cache learns nothing of machines any more.
  assert.ok(kube.endWatches('silent', 'cloudsigmamachines') > 0)
  const account = JSON.stringify({ kind: 'Owner', userUUID: world.userOf(USER), region: 'zrh', binding: 'unseen-user' })
  await world.machine('m', { cluster: 'late', namespace: 'unseen', annotations: { 'ascribe.dev/account': account } })
  await world.kube.delete(CLUSTERS, key)
  const waiting = await until(async () => {
    const found = (await world.kube.tryGet(CLUSTERS, key))?.status?.conditions?.find(({ type }) => type === 'Deleting')
    return found?.reason === 'WaitingForMachines' && found
  })
  assert.match(waiting.message ?? '', /1 machines/)
  // What a binding is asked about is the machines that are pinned to its owner, once no cluster needs it.
  await world.kube.patch(CLUSTERS, key, { patch: { type: 'merge', body: { metadata: { finalizers: null } } } })
  const asked = kube.log.length
  await world.kube.delete(OWNER_BINDINGS, { name: 'unseen-user' })
  await until(() => kube.log.slice(asked).filter(({ plural, verb }) => plural === 'cloudsigmamachines' && verb === 'list').length >= 2)
  assert.ok(await world.kube.tryGet(OWNER_BINDINGS, { name: 'unseen-user' }))
})

test('a start goes on through an API server in trouble, whatever it asks for first', async () => {
  await using stack = new AsyncDisposableStack()
  const answer = (status: number): { kind: 'status'; status: number; reason: string } => ({
    kind: 'status',
    status,
    reason: 'InternalError',
  })
  for (const [match, status] of [
    [{ verb: 'list', plural: 'cloudsigmaclusters' }, 503],
    [{ verb: 'list', plural: 'clusters' }, 500],
    [{ verb: 'get', plural: 'namespaces' }, 502],
    [{ verb: 'get', plural: 'secrets', name: 'ascribe-controller-key' }, 429],
    [{ verb: 'watch', plural: 'cloudsigmamachines' }, 500],
  ] as const)
    stack.use(kube.fault({ match, effect: answer(status), times: 1 }))
  const journal = stack.use(await openJournalWriter({ root: join(dir, 'trouble'), tryLock, clock: systemClock, logger: silentLogger }))
  const stopping = new AbortController()
  stack.defer(() => stopping.abort())
  const deps = { cloud: {}, journal, audit: async () => {}, logger: silentLogger, meters: createMeters() }
  const running = stack.use(await startController(settingsOf(), deps, { signal: stopping.signal, stop: () => {} }))
  await until(async () => (await fetch(`${running.health}/readyz`)).status === 200)
})
