import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openJournalWriter } from '@ascribe/journal'
import { CLUSTERS } from '@ascribe/kinds'
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
