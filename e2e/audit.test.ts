import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, run } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

type Check = {
  readonly ok: boolean
  readonly problems: readonly { readonly kind: string }[]
  readonly cannot_rule_out: readonly string[]
}

test('the trail is exported, checked with nothing but files, and tells an edit, a gap and a missing end', async () => {
  using dir = temporaryDir()
  const data = ['--data', join(dir.path, 'data')]
  const { id, key } = await ask<{ id: string; key: string }>(['admin-keys', 'create', '--name', 'terraform', ...data])
  assert.match(key, /^asp_/)
  const [file, publicKey, kept] = ['trail.jsonl', 'public.txt', 'kept.jsonl'].map((name) => join(dir.path, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(kept, (await run(['audit', 'export', '--json', ...data])).stdout)
  assert.deepEqual(await ask(['admin-keys', 'revoke', id, ...data]), { outcome: 'revoked', id })
  const text = (await run(['audit', 'export', '--installation', ...data])).stdout
  writeFileSync(file, text)
  writeFileSync(publicKey, (await run(['audit', 'key', ...data])).stdout)
  assert.ok(!text.includes(key))

  const check = async (...args: readonly string[]): Promise<{ readonly code: number | null; readonly check: Check }> => {
    const { code, stdout } = await run(['audit', 'verify', file, '--json', ...args])
    return { code, check: JSON.parse(stdout) as Check }
  }
  const whole = await check('--key', publicKey, '--head', kept)
  assert.deepEqual([whole.code, whole.check.ok, whole.check.problems], [0, true, []])
  assert.ok(whole.check.cannot_rule_out.length > 0)
  // The key of its beginning to the head that was kept is all that an auditor needs.
  const lines = text.trimEnd().split('\n')
  const kindsOf = async (changed: readonly string[], ...args: readonly string[]): Promise<readonly string[]> => {
    writeFileSync(file, `${changed.join('\n')}\n`)
    const { code, check: found } = await check('--key', publicKey, ...args)
    assert.equal(code, found.ok ? 0 : 1)
    return [...new Set(found.problems.map(({ kind }) => kind))]
  }
  assert.deepEqual(await kindsOf(lines.map((line) => line.replace('platform_key_made', 'platform_key_lost'))), ['edited'])
  assert.deepEqual(await kindsOf(lines.filter((_, index) => index !== 1)), ['gap'])
  // The older export is whole in itself; only a head from later tells what it lacks.
  assert.deepEqual(await kindsOf(readFileSync(kept, 'utf8').trimEnd().split('\n')), [])
  const later = join(dir.path, 'later.jsonl')
  writeFileSync(later, text)
  assert.deepEqual(await kindsOf(readFileSync(kept, 'utf8').trimEnd().split('\n'), '--head', later), ['truncated'])

  // Whoever made the key is forgotten; the chain says so and holds.
  const erased = await ask<{ fields: number }>([
    'audit',
    'erase',
    '--installation',
    '--line',
    '2',
    '--field',
    'actor.name',
    '--yes',
    ...data,
  ])
  assert.equal(erased.fields, 1)
  assert.deepEqual(await kindsOf((await run(['audit', 'export', ...data])).stdout.trimEnd().split('\n'), '--head', later), [])
})

test('nobody says where requests go, or that they go nowhere any more, without a line that says who, and what was said before and after', async () => {
  using dir = temporaryDir()
  const data = ['--data', join(dir.path, 'data')]
  const set = ['routes', 'set', '--resource', 'dep-1', '--model', 'llama', ...data]
  const settings = JSON.stringify({ credential_name: 'engines', credential_header: 'x-api-key' })
  await ask([...set, '--upstream', 'http://a.internal:8000'])
  await ask([...set, '--upstream', 'http://b.internal:8000', '--settings', settings])
  await ask(['routes', 'retire', '--resource', 'dep-1', ...data])
  const file = join(dir.path, 'trail.jsonl')
  const text = (await run(['audit', 'export', '--installation', ...data])).stdout
  type Line = {
    readonly line?: { readonly kind: string; readonly actor: { readonly via: string }; readonly detail?: object }
    readonly personal?: object
  }
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .filter(({ line }) => line?.kind === 'admin')
  const models = ['llama']
  const first = { state: 'active', revision: 1, models, settings: { upstream: 'http://a.internal:8000' } }
  const second = { ...first, revision: 2, settings: { upstream: 'http://b.internal:8000', ...(JSON.parse(settings) as object) } }
  const common = { change: 'deployment_set', resource: 'dep-1' }
  assert.deepEqual(
    lines.map(({ line }) => line?.detail),
    [
      { ...common, outcome: 'set', before: null, after: first },
      { ...common, outcome: 'changed', before: first, after: second },
      { ...common, change: 'deployment_retired', outcome: 'retired', before: second, after: { ...second, state: 'retired', revision: 3 } },
    ],
  )
  for (const { line, personal } of lines) assert.deepEqual([line?.actor.via, Object.keys(personal ?? {})], ['cli', ['actor.name']])
  for (const [written, code] of [
    [text, 0],
    [text.replace('http://b.internal', 'http://c.internal'), 1],
  ] as const) {
    writeFileSync(file, written)
    assert.equal((await run(['audit', 'verify', file, '--json'])).code, code)
  }
})
