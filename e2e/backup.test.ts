import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, run } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

type Organization = { readonly name: string }

test('backup and restore bring a ledger to another data directory; a file that was cut off brings nothing, and is no bug', async () => {
  using dir = temporaryDir()
  const [ours, theirs] = [join(dir.path, 'ours'), join(dir.path, 'theirs')]
  await ask(['orgs', 'create', '--name', 'Acme', '--data', ours])
  const backup = join(dir.path, 'ledger.gz')
  assert.equal((await run(['backup', backup, '--data', ours])).code, 0)

  const cut = join(dir.path, 'cut.gz')
  writeFileSync(cut, readFileSync(backup).subarray(0, 100))
  const refused = await run(['restore', cut, '--data', theirs])
  assert.equal(refused.code, 2, refused.stderr)
  assert.match(refused.stderr, /Cannot restore .*cut\.gz: it is no backup, or it was cut off/)

  assert.equal((await run(['restore', backup, '--data', theirs])).code, 0)
  assert.deepEqual(
    (await ask<readonly Organization[]>(['orgs', 'list', '--data', theirs])).map(({ name }) => name),
    ['Acme'],
  )
  const used = await run(['restore', backup, '--data', theirs])
  assert.equal(used.code, 2)
  assert.match(used.stderr, /it is not empty/)
})
