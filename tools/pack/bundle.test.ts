import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSource } from '../tidy/source.ts'
import { SOUND, manifest } from '../tidy/planted.ts'
import { createTree } from '../tidy/tree.ts'
import { collectBundle, rewriteSpecifiers } from './bundle.ts'

const FILES = {
  ...SOUND,
  'apps/cli/package.json': manifest('cli', 7, {
    dependencies: { commander: '15.1.0' },
    devDependencies: { '@ascribe/gateway': '0.1.0', '@types/node': '26.0.0' },
  }),
  'apps/cli/src/main.ts': "import { one } from '@ascribe/gateway'\n",
  'packages/ledger/package.json': manifest('ledger', 3, {
    exports: { '.': './src/index.ts', './prices.yaml': './prices.yaml' },
    dependencies: { '@ascribe/units': '0.1.0', pg: '8.23.1' },
    optionalDependencies: { binary: '1.0.0' },
    devDependencies: { '@ascribe/usage': '0.1.0' },
  }),
  'packages/ledger/prices.yaml': 'models: {}\n',
  'packages/ledger/test/fixtures/book.yaml': '',
  'packages/ledger/src/testing.ts': '',
}

test('collectBundle() takes what the entry reaches, without tests, and sums up the packages from elsewhere', () => {
  const bundle = collectBundle(createTree(FILES), 'apps/cli')
  assert.deepEqual(
    bundle.workspaces.map(({ dir }) => dir),
    ['apps/cli', 'apps/gateway', 'packages/ledger', 'packages/units'],
  )
  assert.deepEqual(
    bundle.sources.map(({ path }) => path),
    ['apps/cli/src/main.ts', 'apps/gateway/src/index.ts', 'packages/ledger/src/index.ts', 'packages/units/src/index.ts'],
  )
  assert.deepEqual(bundle.assets, ['packages/ledger/migrations/0001.sql', 'packages/ledger/prices.yaml'])
  assert.deepEqual(
    [...bundle.dependencies],
    [
      ['commander', '15.1.0'],
      ['pg', '8.23.1'],
    ],
  )
  assert.deepEqual([...bundle.optionalDependencies], [['binary', '1.0.0']])
})

const rewrites: readonly (readonly [string, string])[] = [
  ["import { a } from './a.ts'", "import { a } from './a.js'"],
  ["export { a } from '../b/a.ts'", "export { a } from '../b/a.js'"],
  ["import { one } from '@ascribe/units'", "import { one } from '../../units/src/index.js'"],
  ["import pg from 'pg'", "import pg from 'pg'"],
  ["const at = import.meta.resolve('@ascribe/ledger/prices.yaml')", "const at = import.meta.resolve('../prices.yaml')"],
  ["const at = new URL('../migrations/', import.meta.url)", "const at = new URL('../migrations/', import.meta.url)"],
  ["const at = new URL('./a.ts', import.meta.url)", "const at = new URL('./a.js', import.meta.url)"],
  ["const a = await import('./a.ts')", "const a = await import('./a.js')"],
  ["export type A = import('@ascribe/units').One", "export type A = import('../../units/src/index.js').One"],
  ["const text = './a.ts' // from './a.ts'", "const text = './a.ts' // from './a.ts'"],
]

for (const [written, packed] of rewrites) {
  test(`rewriteSpecifiers() turns \`${written}\` into \`${packed}\``, () => {
    const bundle = collectBundle(createTree(FILES), 'apps/cli')
    const files = new Set(['packages/ledger/src/a.ts', 'packages/ledger/b/a.ts', 'packages/units/src/index.ts'])
    assert.equal(rewriteSpecifiers(parseSource('packages/ledger/src/x.ts', written), bundle, files), packed)
  })
}

test('rewriteSpecifiers() refuses an import of a file that is not packed', () => {
  const bundle = collectBundle(createTree(FILES), 'apps/cli')
  const source = parseSource('packages/ledger/src/x.ts', "import { clone } from './testing.ts'")
  assert.throws(
    () => rewriteSpecifiers(source, bundle, new Set()),
    /packages\/ledger\/src\/x\.ts: it imports packages\/ledger\/src\/testing\.ts, which is not packed/,
  )
})
