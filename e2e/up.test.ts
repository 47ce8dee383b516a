import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chat } from './support/client.ts'
import { ask, run } from './support/process.ts'
import { temporaryDir, up } from './support/product.ts'

test('a second start finds everything as it was, keys and records included, and foreign files untouched', async () => {
  using dir = temporaryDir()
  writeFileSync(join(dir.path, 'notes.txt'), 'mine')
  const first = await up(dir.path)
  const { ready } = first
  await chat({ gateway: ready.gateway, key: ready.key, stream: false, maxTokens: 3 })
  await first.eventsUntil(1)
  const before = await first.statement()
  await first[Symbol.asyncDispose]()

  await using second = await up(dir.path)
  const { organization, key, auth_id, billing_key } = second.ready
  assert.deepEqual(
    { organization, key, auth_id, billing_key },
    { organization: ready.organization, key: ready.key, auth_id: ready.auth_id, billing_key: ready.billing_key },
  )
  assert.deepEqual(await second.statement(), before)
  assert.ok((await chat({ gateway: second.ready.gateway, key: ready.key, stream: true, maxTokens: 3 })).whole)
  await second.eventsUntil(2)
  assert.equal(readFileSync(join(dir.path, 'notes.txt'), 'utf8'), 'mine')
})

test('a second instance on the same data directory is refused with a clear word', async () => {
  using dir = temporaryDir()
  await using product = await up(dir.path)
  const { code, stdout, stderr } = await run(['up', '--json', '--data', dir.path, '--port', '0'])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /another `ascribe up` runs on it/)
  assert.ok((await chat({ gateway: product.ready.gateway, key: product.ready.key, stream: false, maxTokens: 2 })).whole)
})

test('a killed one leaves nothing that the next start cannot take over, and its records are kept', async () => {
  using dir = temporaryDir()
  const first = await up(dir.path)
  const seen = await chat({ gateway: first.ready.gateway, key: first.ready.key, stream: true, maxTokens: 4 })
  first.process.kill('SIGKILL')
  await first.process.ended
  await using second = await up(dir.path)
  const [event] = await second.eventsUntil(1)
  assert.equal(event?.event_id, seen.eventId)
  assert.equal(second.ready.key, first.ready.key)
})

test('commands give the same answers beside a running up and without it', async () => {
  using dir = temporaryDir()
  const product = await up(dir.path)
  await chat({ gateway: product.ready.gateway, key: product.ready.key, stream: false, maxTokens: 3 })
  await product.eventsUntil(1)
  const [events, statement] = [await product.events(), await product.statement()]
  await product[Symbol.asyncDispose]()
  assert.deepEqual(await product.events(), events)
  assert.deepEqual(await product.statement(), statement)
  assert.equal((await run(['journal', 'verify', dir.path])).code, 0)
})

test('Ctrl-C ends it with exit code 0, open streams are settled, and the database is gone', async () => {
  using dir = temporaryDir()
  const product = await up(dir.path)
  const open = chat({ gateway: product.ready.gateway, key: product.ready.key, stream: true, maxTokens: 5 })
  await open
  product.process.kill('SIGINT')
  const { code } = await product.process.ended
  assert.equal(code, 0)
  assert.ok(!readdirSync(join(dir.path, 'postgres', 'cluster')).includes('postmaster.pid'))
})

test('no file that holds a secret can be read by others', async () => {
  using dir = temporaryDir()
  await using _product = await up(dir.path)
  for (const name of ['secrets/server-secret', 'secrets/demo.json', 'policy.json']) {
    assert.equal(statSync(join(dir.path, name)).mode & 0o077, 0, name)
  }
})

test('a key works the moment it has been made, and a revoked one no longer than a second', async () => {
  using dir = temporaryDir()
  await using product = await up(dir.path)
  const { gateway, organization } = product.ready
  const made = await ask<{ auth_id: string; key: string }>(['keys', 'create', '--org', organization.id, '--data', dir.path])
  assert.ok((await chat({ gateway, key: made.key, stream: false, maxTokens: 2 })).whole)
  assert.equal((await run(['keys', 'revoke', made.auth_id, '--data', dir.path])).code, 0)
  const deadline = Date.now() + 5_000
  while ((await chat({ gateway, key: made.key, stream: false, maxTokens: 2 })).whole)
    assert.ok(Date.now() < deadline, 'a revoked key still works')
})
