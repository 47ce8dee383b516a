import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { installOnce } from './install-once.ts'
import type { InstallOptions } from './install-once.ts'

const scratch = mkdtempSync(join(tmpdir(), 'ascribe-install-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

function options(name: string, install: InstallOptions['install']): InstallOptions {
  const recipe = join(scratch, `${name}.txt`)
  if (!existsSync(recipe)) writeFileSync(recipe, '1')
  return { peer: name, recipe: [recipe], root: scratch, install }
}

test('installOnce() does the work once when two come at once, and not again afterwards', async () => {
  const installing = options('twice', async (site) => {
    appendFileSync(join(site.dir, 'work'), 'x')
    await site.run('true', [])
  })
  const [first, second] = await Promise.all([installOnce(installing), installOnce(installing)])
  await installOnce(installing)
  assert.equal(first, second)
  assert.equal(readFileSync(join(first, 'work'), 'utf8'), 'x')
})

test('installOnce() installs another recipe beside the first', async () => {
  const installing = options('recipes', async () => {})
  const first = await installOnce(installing)
  writeFileSync(installing.recipe[0] ?? '', '2')
  assert.notEqual(await installOnce(installing), first)
  assert.ok(existsSync(first))
})

test('installOnce() says on one line what failed and why, and tries again the next time', async () => {
  let broken = true
  const installing = options('broken', async (site) => {
    await site.run('sh', ['-c', broken ? 'echo first; echo the disk is full >&2; exit 3' : 'true'], { what: 'unpacking' })
  })
  await assert.rejects(installOnce(installing), ({ message }: Error) => {
    assert.match(message, /^peer cannot be had: broken: unpacking failed: the disk is full \(whole output in .*install\.log\)$/)
    return true
  })
  broken = false
  await installOnce(installing)
})
