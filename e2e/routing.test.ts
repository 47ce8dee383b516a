import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEngine } from '@ascribe/sandbox'
import { ask, askLines, run, start } from './support/process.ts'
import type { Running } from './support/process.ts'
import { temporaryDir } from './support/product.ts'
import type { Event } from './support/product.ts'

const WAIT_MS = 20_000

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(20)
  }
}

async function launch(args: readonly string[]): Promise<Running & { readonly url: string }> {
  const running = start([...args, '--json', '--metrics-port', '0'])
  const line = await running.firstLine
  if (line === undefined) throw new Error(`ascribe ${args[0]} did not come up:\n${(await running.ended).stderr}`)
  return { ...running, url: (JSON.parse(line) as { gateway?: string }).gateway ?? '' }
}

function post(url: string, key: string, model: string): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }),
    signal: AbortSignal.timeout(WAIT_MS),
  })
}

const statusOf = async (url: string, key: string, model: string): Promise<number> => {
  const reply = await post(url, key, model)
  await reply.text()
  return reply.status
}

test('a gateway starts and routes by the directory of the ledger while the database is stopped', async () => {
  using dir = temporaryDir()
  const data = ['--data', dir.path] as const
  await using engine = await startEngine()
  await ask(['orgs', 'create', '--name', 'Acme', ...data])
  const { key } = await ask<{ key: string }>(['keys', 'create', '--org', 'Acme', ...data])
  await ask(['routes', 'set', '--resource', 'dep-1', '--model', 'sandbox-small', '--upstream', engine.url, ...data])
  // Nobody has the embedded database open from here on: it does not run.
  for (let round = 0; round < 2; round += 1) {
    await using gateway = await launch(['gateway', '--port', '0', ...data])
    assert.equal(await statusOf(gateway.url, key, 'sandbox-small'), 200)
    assert.equal(await statusOf(gateway.url, key, 'nobody-knows'), 404)
  }
  // A gateway that runs follows what is said meanwhile.
  await using gateway = await launch(['gateway', '--port', '0', ...data])
  await ask(['routes', 'retire', '--resource', 'dep-1', ...data])
  await until('it is gone', async () => (await statusOf(gateway.url, key, 'sandbox-small')) === 410)
  const events = await askLines<Event & { resource_id: string; route: string }>(['events', 'list', ...data])
  assert.deepEqual(
    [...new Set(events.map(({ resource_id: resource, route, outcome }) => `${resource} ${route} ${outcome}`))],
    ['dep-1 dep-1 completed'],
  )
  assert.equal(events.length, engine.seen.length)
})

test('routes of the configuration are read again on SIGHUP and when the file changes; a bad file changes nothing', async () => {
  using dir = temporaryDir()
  const data = ['--data', dir.path] as const
  await using http = createHttpServer((request, reply) => {
    request.resume()
    reply.setHeader('content-type', 'application/json')
    reply.end('{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}')
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const engine = { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }
  await ask(['orgs', 'create', '--name', 'Acme', ...data])
  const { key } = await ask<{ key: string }>(['keys', 'create', '--org', 'Acme', ...data])
  const file = join(dir.path, 'ascribe.yaml')
  const say = (model: string): void =>
    writeFileSync(file, `gateway:\n  routes:\n    - { id: a, models: [${model}], upstream: "${engine.url}" }\n`)
  say('one')
  await using gateway = await launch(['gateway', '--port', '0', ...data])
  assert.equal(await statusOf(gateway.url, key, 'one'), 200)
  say('two')
  await until('the file is followed', async () => (await statusOf(gateway.url, key, 'two')) === 200)
  assert.equal(await statusOf(gateway.url, key, 'one'), 404)
  writeFileSync(file, 'gateway:\n  routes:\n    - { id: a, models: [three], upstreem: "http://x" }\n')
  gateway.kill('SIGHUP')
  await until('it is refused loudly', () => gateway.stderr().includes('last good ones stay in force'))
  assert.equal(await statusOf(gateway.url, key, 'two'), 200)
  say('four')
  gateway.kill('SIGHUP')
  await until('it is followed again', async () => (await statusOf(gateway.url, key, 'four')) === 200)
})

test('kill -9 of a gateway between two attempts of a request leaves one intent, and one outcome: unknown', async () => {
  using dir = temporaryDir()
  const data = ['--data', dir.path] as const
  const held: Socket[] = []
  const server = createServer((socket) => {
    held.push(socket)
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const holding = (server.address() as AddressInfo).port
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: gone } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  try {
    await ask(['orgs', 'create', '--name', 'Acme', ...data])
    const { key } = await ask<{ key: string }>(['keys', 'create', '--org', 'Acme', ...data])
    writeFileSync(
      join(dir.path, 'ascribe.yaml'),
      `gateway:\n  routes:\n    - { id: a, upstreams: [{ id: gone, url: "http://127.0.0.1:${gone}" }, { id: holding, url: "http://127.0.0.1:${holding}" }] }\n`,
    )
    const gateway = await launch(['gateway', '--port', '0', ...data])
    const asked = post(gateway.url, key, 'any').then(
      () => 'answered',
      () => 'broken',
    )
    await until('the second upstream has a connection', () => held.length === 1)
    assert.match(gateway.stderr(), /request goes to another upstream/)
    gateway.kill('SIGKILL')
    await gateway.exited
    assert.equal(await asked, 'broken')
    const events = await askLines<Event>(['events', 'list', ...data])
    assert.deepEqual(
      events.map(({ outcome, provenance, completion_tokens: tokens }) => [outcome, provenance, tokens]),
      [['unknown', 'unknown', null]],
    )
    const { stdout } = await run(['events', 'list', '--json', ...data])
    assert.equal(stdout.trim().split('\n').length, 1)
  } finally {
    for (const socket of held) socket.destroy()
    server.close()
  }
})
