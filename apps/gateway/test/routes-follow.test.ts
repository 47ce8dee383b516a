import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { writePolicyFile } from '@ascribe/identity'
import type { DeploymentEntry } from '@ascribe/identity'
import { InputError } from '@ascribe/kit'
import { startEngine } from '@ascribe/sandbox'
import { tryLock } from '@ascribe/service'
import type { Route } from '../src/index.ts'
import { CHAT, IDENTITY, ask, fixedReply, jsonChat, rawUpstream, routeTo, startTestGateway, until } from './support.ts'
import type { TestGateway } from './support.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ascribe-routes-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

const entry = (resource: string, models: readonly string[], url: string, more: DeploymentEntry = {}): DeploymentEntry => ({
  resource_id: resource,
  models,
  upstream: url,
  ...more,
})

/** As the command line reads them, in short. */
function readDeployment({ resource_id: resourceId, models, upstream, retired }: DeploymentEntry): Route {
  if (typeof resourceId !== 'string' || typeof upstream !== 'string') throw new InputError('Cannot use the deployment: it says too little')
  const route = routeTo(upstream, { id: resourceId, resourceId, models: models as string[] })
  return retired === true ? { ...route, isRetired: true } : route
}

function publish(data: string, version: number, entries: readonly DeploymentEntry[]): void {
  writePolicyFile(
    join(data, 'policy.json'),
    { ledger: 'test', version, deployments: { ledger: 'test', version, entries }, keys: [] },
    tryLock,
  )
}

const statusOf = async (world: TestGateway, model: string, resource = 'elsewhere'): Promise<number> =>
  (await ask(world.url, { headers: { ...IDENTITY, 'X-Saturn-Resource-Id': resource }, body: { ...CHAT, model } })).status

test('deployments of the ledger are followed at once, by model and by resource, and listed as models', async (t) => {
  const data = await folder(t)
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))
  const world = await startTestGateway(t, { data, routes: [], readDeployment })
  assert.equal(await statusOf(world, 'llama'), 404)
  publish(data, 1, [entry('dep-1', ['llama'], engine.url), entry('dep-2', [], engine.url)])
  // Not after some time: whoever asks for what is not known looks first.
  assert.equal(await statusOf(world, 'llama'), 200)
  assert.equal(await statusOf(world, 'whatever', 'dep-2'), 200)
  assert.equal(await statusOf(world, 'whatever', 'dep-3'), 404)
  const listed = await ask(world.url, { method: 'GET', path: '/v1/models' })
  assert.match(listed.text, /"id":"llama"/)
  publish(data, 2, [entry('dep-1', ['llama'], engine.url, { retired: true }), entry('dep-2', [], engine.url)])
  await until('it is gone', async () => (await statusOf(world, 'llama')) === 410)
})

test('a route of the configuration goes before a deployment of the same model or resource', async (t) => {
  const data = await folder(t)
  const [own, other] = await Promise.all([1, 2].map(() => rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))))
  assert.ok(own !== undefined && other !== undefined)
  publish(data, 1, [entry('dep-1', ['llama', 'extra'], other.url), entry('dep-own', ['more'], other.url)])
  const routes = [routeTo(own.url, { id: 'own', models: ['llama'], resourceId: 'dep-own' })]
  const world = await startTestGateway(t, { data, routes, readDeployment })
  assert.equal(await statusOf(world, 'llama'), 200)
  assert.deepEqual([own.wires.length, other.wires.length], [1, 0])
  assert.equal(await statusOf(world, 'extra'), 200)
  assert.equal(await statusOf(world, 'more'), 404)
  assert.equal(world.log.filter(({ message }) => message.startsWith('deployment left out')).length, 2)
})

test('deployments that cannot be used are refused loudly, once; the last good ones serve on, and keys are followed all the same', async (t) => {
  const data = await folder(t)
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))
  publish(data, 1, [entry('dep-1', ['llama'], engine.url)])
  const world = await startTestGateway(t, { data, routes: [], readDeployment })
  for (const [at, bad] of [
    [{ resource_id: 'x' }],
    [entry('dep-1', ['llama'], engine.url), entry('dep-2', ['llama'], engine.url)],
  ].entries()) {
    publish(data, 2 + at, bad)
    await until('it is refused', () => world.gateway.routeTrouble?.includes(`version ${2 + at} `) === true)
    assert.equal(await statusOf(world, 'llama'), 200)
  }
  await until('it was looked at again', async () => (await statusOf(world, 'unknown')) === 404)
  assert.equal(world.log.filter(({ message }) => message.startsWith('deployments of the ledger cannot be used')).length, 2)
  publish(data, 4, [entry('dep-1', ['llama2'], engine.url)])
  assert.equal(await statusOf(world, 'llama2'), 200)
  assert.equal(world.gateway.routeTrouble, undefined)
})

test('a gateway starts with the last good deployments when the snapshot is gone, unreadable or of a shape that it cannot use', async (t) => {
  const data = await folder(t)
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))
  publish(data, 5, [entry('dep-1', ['llama'], engine.url)])
  const first = await startTestGateway(t, { data, routes: [], readDeployment })
  assert.equal(await statusOf(first, 'llama'), 200)
  await first.gateway.close({ graceMs: 0 })
  const policy = join(data, 'policy.json')
  for (const spoil of [
    () => rm(policy),
    () => writeFile(policy, '{"ledger":"test","version":6,"deployments":{"led'),
    () => writeFile(policy, '{"ledger":"test","version":6,"keys":[]}'),
    () =>
      writeFile(
        policy,
        JSON.stringify({ ledger: 'test', version: 6, keys: [], deployments: { ledger: 'test', version: 6, entries: [{}] } }),
      ),
  ]) {
    await spoil()
    const again = await startTestGateway(t, { data, routes: [], readDeployment })
    assert.equal(await statusOf(again, 'llama'), 200)
    await again.gateway.close({ graceMs: 0 })
  }
})

test('an older snapshot of the same ledger never takes deployments back, and an empty list of a newer one does', async (t) => {
  const data = await folder(t)
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))
  publish(data, 5, [entry('dep-1', ['llama'], engine.url)])
  const first = await startTestGateway(t, { data, routes: [], readDeployment })
  await first.gateway.close({ graceMs: 0 })
  await rm(join(data, 'policy.json'))
  publish(data, 4, [])
  const second = await startTestGateway(t, { data, routes: [], readDeployment })
  assert.equal(await statusOf(second, 'llama'), 200)
  publish(data, 6, [])
  await until('it is not known', async () => (await statusOf(second, 'llama')) === 404)
})

async function startFollowing(t: TestContext, text: string): Promise<TestGateway & { readonly file: string }> {
  const file = join(await folder(t), 'routes-of-config.json')
  await writeFile(file, text)
  const read = (): Route[] =>
    Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, string>>).map(([model, url]) =>
      routeTo(url, { id: model, models: [model] }),
    )
  return { ...(await startTestGateway(t, { routes: read(), routeSource: { file, read } })), file }
}

test('a changed file is followed without a restart, and a bad one changes nothing and says so', async (t) => {
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(jsonChat(1, 1))))
  const world = await startFollowing(t, '{}')
  assert.equal(await statusOf(world, 'after'), 404)
  await writeFile(world.file, JSON.stringify({ after: engine.url }))
  await until('it is followed', async () => (await statusOf(world, 'after')) === 200)
  await writeFile(world.file, '{ nonsense')
  await until('it is refused', () => world.gateway.routeTrouble !== undefined)
  assert.equal(await statusOf(world, 'after'), 200)
  assert.ok(world.log.some(({ level, message }) => level === 'error' && message.includes('last good ones stay in force')))
  await writeFile(world.file, JSON.stringify({ later: engine.url }))
  await until('it is followed again', async () => (await statusOf(world, 'later')) === 200)
  assert.equal(await statusOf(world, 'after'), 404)
  assert.equal(world.gateway.routeTrouble, undefined)
})

test('routes that change under load lose no request, no stream and no record', async (t) => {
  const engines = await Promise.all([startEngine(), startEngine()])
  for (const engine of engines) t.after(() => engine.close())
  let turn = 0
  const source = {
    read: (): Route[] => [routeTo(engines[turn % 2]?.url ?? '', { id: `table-${turn}`, models: [CHAT.model] })],
  }
  const world = await startTestGateway(t, { routes: source.read(), routeSource: source })
  let asked = 0
  let isOver = false
  const asking = Array.from({ length: 8 }, async (_, lane) => {
    while (!isOver) {
      asked += 1
      const answer = await ask(world.url, { body: { ...CHAT, max_tokens: 20, stream: lane % 2 === 0 } })
      assert.deepEqual([answer.status, answer.whole], [200, true])
      if (lane % 2 === 0) assert.ok(answer.text.endsWith('data: [DONE]\n\n'))
    }
  })
  for (turn = 1; turn <= 40; turn += 1) {
    const before = asked
    world.gateway.reread()
    await until('more was asked', () => asked >= before + 3)
  }
  isOver = true
  await Promise.all(asking)
  const records = await world.records(asked)
  assert.ok(records.every(({ outcome, provenance }) => outcome === 'completed' && provenance === 'reported'))
  assert.ok(new Set(records.map(({ route }) => route)).size > 10)
  assert.equal(
    engines.reduce((sum, engine) => sum + engine.seen.length, 0),
    asked,
  )
})
