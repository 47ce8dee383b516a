import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from './rule.ts'
import type { Rule } from './rule.ts'
import { createTree } from './tree.ts'

/** Files that replace or join those of the sound tree; `null` removes one. */
export type Files = Readonly<Record<string, string | null>>

/** A breach planted in the sound tree, and how the one line about it begins. */
export type Fault = { readonly files: Files; readonly found: string }

/** What a rule must find, and what looks like a breach and is none. */
export type Proof = { readonly faults: readonly Fault[]; readonly sound?: readonly Files[] }

export function manifest(name: string, layer: number, rest: object = {}): string {
  return JSON.stringify({
    name: `@ascribe/${name}`,
    version: '0.1.0',
    description: 'Exists.',
    type: 'module',
    exports: { '.': './src/index.ts' },
    ascribe: { layer },
    ...rest,
  })
}

/** A small repository in which every rule holds: three packages and an app on top of them. */
export const SOUND: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ name: 'ascribe', devDependencies: { 'fast-check': '4.10.2' } }),
  'package-lock.json': '{\n  "packages/units": { "resolved": "packages/units", "link": true }\n}\n',
  'docs/errors.md': '',
  ...packageFiles('packages/units', manifest('units', 0)),
  ...packageFiles('packages/usage', manifest('usage', 1, { dependencies: { '@ascribe/units': '0.1.0' } })),
  ...packageFiles(
    'packages/ledger',
    manifest('ledger', 3, { dependencies: { '@ascribe/units': '0.1.0' }, devDependencies: { '@ascribe/usage': '0.1.0' } }),
  ),
  'packages/ledger/migrations/0001.sql': 'create table charge (id uuid primary key);\n',
  ...packageFiles('packages/postgres', manifest('postgres', 2, { dependencies: { pg: '8.23.1' } })),
  ...packageFiles('apps/gateway', manifest('gateway', 6, { dependencies: { '@ascribe/ledger': '0.1.0' } })),
}

function packageFiles(dir: string, manifestText: string): Record<string, string> {
  return {
    [`${dir}/package.json`]: manifestText,
    [`${dir}/README.md`]: '# Exists\n',
    [`${dir}/src/index.ts`]: 'export const one: number = 1\n',
    [`${dir}/src/index.test.ts`]: "import { one } from './index.ts'\nvoid one\n",
  }
}

function breaches(rule: Rule, files: Files): string[] {
  const texts = new Map<string, string>(Object.entries(SOUND))
  for (const [path, text] of Object.entries(files)) {
    if (text === null) texts.delete(path)
    else texts.set(path, text)
  }
  return rule.check(createTree(texts)).map(formatProblem)
}

/** Tests each rule against its planted faults, and that no rule goes without. */
export function proveRules(rules: readonly Rule[], proofs: Readonly<Record<string, Proof>>): void {
  void test('every rule has a proof, every proof a rule', () => {
    assert.deepEqual(Object.keys(proofs).toSorted(), rules.map(({ name }) => name).toSorted())
  })
  for (const rule of rules) {
    const { faults, sound = [] } = proofs[rule.name] ?? { faults: [] }
    void test(`"${rule.name}" finds each planted fault, and only it`, () => {
      assert.ok(faults.length > 0)
      assert.deepEqual(breaches(rule, {}), [])
      for (const files of sound) assert.deepEqual(breaches(rule, files), [])
      for (const { files, found } of faults) {
        const lines = breaches(rule, files)
        assert.equal(lines.length, 1, `expected one line that begins with "${found}", got:\n${lines.join('\n')}`)
        assert.ok(lines[0]?.startsWith(found), `expected a line that begins with "${found}", got "${lines[0]}"`)
        // Every line ends in a way out: what is wrong, then what to do.
        assert.match(lines[0] ?? '', /[;:] \S/)
      }
    })
  }
}
