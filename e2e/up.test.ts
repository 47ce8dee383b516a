import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
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

test('a database that dies does not stop up: requests are served on, and their records come when it is back', async () => {
  using dir = temporaryDir()
  await using product = await up(dir.path)
  const { gateway, key } = product.ready
  const ask5 = async (): Promise<number> => {
    let whole = 0
    for (let request = 0; request < 5; request += 1)
      whole += Number((await chat({ gateway, key, stream: request % 2 === 0, maxTokens: 3 })).whole)
    return whole
  }
  assert.equal(await ask5(), 5)
  const [pid = ''] = readFileSync(join(dir.path, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')
  process.kill(Number(pid), 'SIGKILL')
  assert.equal(await ask5(), 5)
  await product.eventsUntil(10)
  assert.equal(await ask5(), 5)
  await product.eventsUntil(15)
})

test('while it drains, up still says how it is: alive, and not ready', async () => {
  using dir = temporaryDir()
  const product = await up(dir.path)
  const { gateway, key, metrics } = product.ready
  assert.equal((await fetch(`${metrics}/readyz`)).status, 200)
  const slow = fetch(`${gateway}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'sandbox-small',
      stream: true,
      max_tokens: 40,
      messages: [{ role: 'user', content: 'x' }],
      sandbox: { tokenDelayMs: 50 },
    }),
  })
  const reply = await slow
  product.process.kill('SIGTERM')
  const deadline = Date.now() + 10_000
  while ((await fetch(`${metrics}/readyz`)).status !== 503) assert.ok(Date.now() < deadline, 'it never became unready')
  assert.equal((await fetch(`${metrics}/healthz`)).status, 200)
  assert.match(await reply.text(), /\[DONE\]/)
  assert.equal((await product.process.ended).code, 0)
})

test('a reader that leaves early ends a command quietly and leaves no database running', async () => {
  using dir = temporaryDir()
  const shell = spawn('sh', ['-c', `"${process.execPath}" apps/cli/src/main.ts orgs list --data "${dir.path}" | true`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  shell.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await new Promise((resolve) => shell.once('close', resolve))
  assert.equal(stderr, '')
  const gone = Date.now() + 10_000
  while (readdirSync(join(dir.path, 'postgres', 'cluster')).includes('postmaster.pid')) assert.ok(Date.now() < gone, 'the database runs on')
})
