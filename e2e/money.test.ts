import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chat } from './support/client.ts'
import { run } from './support/process.ts'
import type { Finished } from './support/process.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Product, Statement } from './support/product.ts'

// What becomes of usage that nobody can be billed for yet, and what never happens to usage that somebody has been.

const dir = temporaryDir()
let product: Product
const book = (name: string, models: Readonly<Record<string, string>>): string => {
  const path = join(dir.path, name)
  const lines = Object.entries(models).map(([model, rate]) => `  ${model}: { prompt: "${rate}", cached: "${rate}", completion: "${rate}" }`)
  writeFileSync(path, `version: 1\nbase_models:\n${lines.join('\n')}\n`)
  return path
}
const ascribe = (...args: readonly string[]): Promise<Finished> => run([...args, '--data', dir.path])

before(async () => {
  product = await up(dir.path, '--trust-headers-from', '127.0.0.1/32', '--prices', book('small.yaml', { 'sandbox-small': '0.000001' }))
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

/** Asks as an edge does: identity in headers. */
async function askAs(headers: Readonly<Record<string, string>>, model: string): Promise<void> {
  const reply = await fetch(`${product.ready.gateway}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'X-Saturn-Resource-Id': 'deployment-1', ...headers },
    body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: 'x' }] }),
  })
  assert.equal(reply.status, 200)
  await reply.text()
}

/** The statement once it holds what is expected of it: it is derived within a second, not at once. */
async function statementWith(organization: string, isThere: (statement: Statement) => boolean): Promise<Statement> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const statement = await product.statement(organization)
    if (isThere(statement)) return statement
    assert.ok(Date.now() < deadline, JSON.stringify(statement))
  }
}

test('usage of an auth id that nobody knows is served, held and shown, and rates itself when it is mapped', async () => {
  await askAs({ 'X-Saturn-Auth-Id': 'tok-1' }, 'sandbox-small')
  const { id } = await product.cli<{ id: string }>('orgs', 'create', '--name', 'Edge')
  assert.deepEqual((await statementWith(id, ({ held }) => held.unattributed === 1)).lines, [])
  assert.equal((await ascribe('keys', 'map', '--auth-id', 'tok-1', '--org', id)).code, 0)
  const { lines, held } = await statementWith(id, (statement) => statement.lines.length > 0)
  assert.deepEqual([held.unattributed, new Set(lines.map(({ auth_id }) => auth_id))], [0, new Set(['tok-1'])])
})

test('a claim of another organization is kept, and believed over nobody: the usage is held', async () => {
  const { id } = product.ready.organization
  await askAs({ 'X-Saturn-Auth-Id': 'tok-1', 'X-Saturn-Org-Id': id }, 'sandbox-small')
  const { lines } = await statementWith(id, ({ held }) => held.unattributed === 1)
  assert.deepEqual(lines, [])
  const claimed = (await product.events()).at(-1) as { org_id?: string; organization_id?: string } | undefined
  assert.equal(claimed?.org_id, id)
})

test('usage without a price is held, and rates itself when a price for its instant comes', async () => {
  const second = temporaryDir()
  const other = await up(second.path, '--prices', join(dir.path, 'small.yaml'))
  try {
    const { gateway, key } = other.ready
    await fetch(`${gateway}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sandbox-large', max_tokens: 4, messages: [{ role: 'user', content: 'x' }] }),
    }).then((reply) => reply.text())
    await other.eventsUntil(1)
    assert.equal((await other.statement()).held.unpriced, 1)
    const both = book('both.yaml', { 'sandbox-small': '0.000001', 'sandbox-large': '0.000002' })
    const applied = await run(['prices', 'apply', both, '--effective-from', '2026-01-01', '--data', second.path])
    assert.equal(applied.code, 0, applied.stderr)
    const { held, total } = await other.statement()
    assert.deepEqual([held.unpriced, total === '0'], [0, false])
  } finally {
    await other[Symbol.asyncDispose]()
    second[Symbol.dispose]()
  }
})

test('what has been charged is never repriced: an overlap is refused with a count, and old records keep their price', async () => {
  const { gateway, key, organization } = product.ready
  await chat({ gateway, key, stream: true, maxTokens: 5 })
  const before = await statementWith(organization.id, ({ lines }) => lines.length > 0)
  const dear = book('dear.yaml', { 'sandbox-small': '0.5' })
  const refused = await ascribe('prices', 'apply', dear, '--effective-from', '2026-01-01')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /\d+ records that have been charged/)
  assert.equal((await ascribe('prices', 'apply', dear)).code, 0)
  assert.deepEqual((await product.statement(organization.id)).lines, before.lines)
  assert.equal((await ascribe('rate', 'verify')).code, 0)
})
