import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createWorld, ownerOf } from './support/world.ts'

const rules = readFileSync(join(import.meta.dirname, '..', '..', '..', 'deploy', 'alerts', 'impersonation.rules.yaml'), 'utf8')

test('every series that deploy/alerts looks at exists from the start, so that its first increase is seen', async () => {
  const { source, meters } = createWorld()
  await source.token(ownerOf(1))
  source.sweep()
  const series = [...meters.series.keys()]
  const names = new Set([...rules.matchAll(/ascribe_[a-z_]+/g)].map(([name]) => name))
  assert.ok(names.size >= 7)
  for (const name of names)
    assert.ok(
      series.some((each) => each.split('{')[0] === name),
      `nothing counts ${name}`,
    )
  for (const [, name, label, values = ''] of rules.matchAll(/(ascribe_[a-z_]+)\{(\w+)=~"([^"]+)"\}/g))
    for (const value of values.split('|'))
      assert.ok(
        series.some((each) => each.startsWith(`${name}{`) && each.includes(`${label}=${value}`)),
        `${name} has no ${label} ${value}`,
      )
})
