import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ask, run } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

// A month is closed by hand, and usage turns up, gets a price and is voided afterwards.

type Line = { readonly kind: string; readonly model: string; readonly meter: string; readonly amount: string; readonly corrects?: string }
type Statement = { readonly total: string; readonly provisional: boolean; readonly lines: readonly Line[] }

const dir = temporaryDir()
after(() => dir[Symbol.dispose]())

const OCTOBER = Date.UTC(2025, 9, 7)
const file = (name: string, text: string): string => {
  const path = join(dir.path, name)
  writeFileSync(path, text)
  return path
}
const call = <Answer>(...args: readonly string[]): Promise<Answer> => ask<Answer>([...args, '--data', dir.path])
const statement = (month: string): Promise<Statement> => call('statement', '--org', 'Acme', '--month', month)
const book = (model: string): string => `version: 1
base_models:
  ${model}:
    prompt: "0.000001"
    cached: "0"
    completion: { mode: graduated, tiers: [{ up_to: 100, price: "0.01" }, { price: "0.001" }] }
`

function usage(id: string, model: string, completion: number): string {
  const counts = { prompt_tokens: 1000, cached_tokens: 0, completion_tokens: completion }
  return `${JSON.stringify({ request_id: id, auth_id: 'key', resource_id: 'd', model, ...counts, timestamp_unix_ms: OCTOBER + completion })}\n`
}

test('a closed month stays as it was; what turns out otherwise is adjusted in the open one', async () => {
  await call('orgs', 'create', '--name', 'Acme')
  await call('keys', 'map', '--auth-id', 'key', '--org', 'Acme')
  const prices = file('prices.yaml', book('small'))
  await call('prices', 'apply', prices, '--effective-from', 'beginning', '--author', 'ann')
  const records = file('october.ndjson', usage('r1', 'small', 80) + usage('r2', 'small', 50) + usage('r3', 'other', 10))
  await call('events', 'backfill', records, '--id', 'october', '--reason', 'import')
  const open = await statement('2025-10')
  // 2000 in; 100 out at the first tier, 30 at the second.
  assert.deepEqual([open.total, open.provisional], ['1.032', true])

  const refused = await run(['periods', 'close', '--month', '2025-10', '--data', dir.path])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /usage is held \(records unpriced: 1, of nobody: 0, of unknown quantity: 0\)/)
  await call('periods', 'close', '--month', '2025-10', '--force')

  await call('events', 'backfill', file('late.ndjson', usage('r4', 'small', 70)), '--id', 'late', '--reason', 'found later')
  await call('prices', 'apply', file('supplement.yaml', book('other')), '--supplement')
  const adjusted = await statement('2025-11')
  const closed = await statement('2025-10')
  assert.deepEqual([closed.total, closed.lines, closed.provisional], [open.total, open.lines, false])
  // 1000 in and 70 out at the second tier; 1000 in and 10 out of the other model, at its first.
  assert.equal(adjusted.total, '0.172')
  assert.ok(adjusted.lines.every(({ kind, corrects }) => kind === 'adjustment' && corrects === '2025-10'))

  const [first] = (await run(['events', 'list', '--org', 'Acme', '--data', dir.path])).stdout.split('\n')
  const { event_id: id } = JSON.parse(first ?? '') as { event_id: string }
  await call('events', 'void', id, '--reason', 'a test of ours')
  assert.equal((await statement('2025-10')).total, '1.032')
  assert.deepEqual(await call('periods', 'close', '--month', '2025-11'), { outcome: 'closed', month: '2025-11' })
  const verified = await call<{ ok: boolean; records: number }>('rate', 'verify')
  assert.deepEqual([verified.ok, verified.records], [true, 3])
})

test('prices list tells versions apart, and prices check looks up the organizations of the ledger', async () => {
  const versions = await call<readonly { state: string; currency: string; applied_by: string }[]>('prices', 'list')
  assert.deepEqual(
    versions.map(({ state, currency }) => [state, currency]),
    [
      ['in force', 'USD'],
      ['supplement', 'USD'],
    ],
  )
  assert.equal(versions[0]?.applied_by, 'ann')
  const unknown = file('unknown.yaml', `${book('small')}overrides:\n  018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f: { discount: "0.9" }\n`)
  const checked = await run(['prices', 'check', unknown, '--data', dir.path])
  assert.equal(checked.code, 2)
  assert.match(checked.stderr, /unknown\.yaml:8:3: there is no organization 018f4d5e/)
})
