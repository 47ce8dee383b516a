import assert from 'node:assert/strict'
import { test } from 'node:test'
import { circlesOf, cycleRules } from './cycles.ts'
import { manifest, proveRules } from './planted.ts'

proveRules(cycleRules, {
  'packages form no circle': {
    faults: [
      {
        files: {
          'packages/units/package.json': manifest('units', 0, { dependencies: { '@ascribe/usage': '0.1.0' } }),
          'packages/usage/package.json': manifest('usage', 1, { dependencies: { '@ascribe/units': '0.1.0' } }),
        },
        found: 'packages/units/package.json:1 closes the circle @ascribe/units -> @ascribe/usage -> @ascribe/units',
      },
    ],
  },
  'files form no circle': {
    faults: [
      {
        files: { 'packages/units/src/a.ts': "import { b } from './b.ts'\n", 'packages/units/src/b.ts': "\nexport { a } from './a.ts'\n" },
        found: 'packages/units/src/b.ts:2 closes the circle packages/units/src/a.ts -> packages/units/src/b.ts -> packages/units/src/a.ts',
      },
    ],
    sound: [{ 'packages/units/src/a.ts': "import { b } from './b.ts'\n", 'packages/units/src/b.ts': "import type { A } from './a.ts'\n" }],
  },
})

test('circlesOf() gives each circle once, and none for shared branches', () => {
  const graph = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d', 'a']],
    ['d', []],
  ])
  assert.deepEqual(circlesOf(graph), [['a', 'c', 'a']])
})
