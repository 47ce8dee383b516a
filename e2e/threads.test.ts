import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

type Manifest = { readonly name: string; readonly dependencies?: Readonly<Record<string, string>> }

function manifests(): ReadonlyMap<string, Manifest> {
  const found = new Map<string, Manifest>()
  for (const group of ['packages', 'apps']) {
    for (const folder of readdirSync(join(ROOT, group))) {
      const manifest = JSON.parse(readFileSync(join(ROOT, group, folder, 'package.json'), 'utf8')) as Manifest
      found.set(manifest.name, manifest)
    }
  }
  return found
}

test('litellm-2235: nothing that the gateway is made of knows a database, so that none can slow it down', () => {
  const all = manifests()
  const reached = new Set<string>()
  const open = ['@ascribe/gateway']
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name)) continue
    reached.add(name)
    open.push(...Object.keys(all.get(name)?.dependencies ?? {}))
  }
  assert.ok(reached.has('@ascribe/journal'))
  for (const name of ['@ascribe/ledger', '@ascribe/postgres', 'pg']) assert.ok(!reached.has(name), `the gateway depends on ${name}`)
})
