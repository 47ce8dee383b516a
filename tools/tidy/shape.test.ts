import { proveRules } from './planted.ts'
import { shapeRules } from './shape.ts'

const UNITS = 'packages/units/src/a.ts'
const TEST = 'packages/units/src/a.test.ts'
// Put together here, so that the rules do not find this file.
const LEFT = ['TO', 'DO'].join('')
const HOME = ['', 'root', 'ascribe'].join('/')
const HOST = ['registry', 'npmjs', 'org'].join('.')
const only = ['test', 'only'].join('.')
const skip = ['test', 'skip'].join('.')
const IGNORE = ['@ts', 'ignore'].join('-')

proveRules(shapeRules, {
  'every source and manifest can be parsed': {
    faults: [
      { files: { [UNITS]: 'export const = 1\n' }, found: `${UNITS}:1 Cannot parse it: ` },
      {
        files: { 'packages/units/package.json': '{ "name": ' },
        found: 'packages/units/package.json:1 Cannot parse it: ',
      },
    ],
    sound: [{ 'packages/units/test/fixtures/broken.ts': 'export const = 1\n' }],
  },
  'files are short': {
    faults: [
      { files: { [UNITS]: '// long\n'.repeat(401) }, found: `${UNITS}:401 has 401 lines` },
      { files: { [TEST]: '// long\n'.repeat(601) }, found: `${TEST}:601 has 601 lines` },
      {
        files: { 'packages/ledger/migrations/0002.sql': '-- long\n'.repeat(401) },
        found: 'packages/ledger/migrations/0002.sql:401 has 401 lines',
      },
    ],
    sound: [
      { [UNITS]: '// long\n'.repeat(400), [TEST]: '// long\n'.repeat(600), 'packages/units/test/recorded/x.ts': '// long\n'.repeat(900) },
    ],
  },
  'files are named for what they hold': {
    faults: [{ files: { 'packages/units/src/utils.ts': '' }, found: 'packages/units/src/utils.ts:1 has a name that says nothing' }],
    sound: [{ 'packages/units/src/http-helpers.ts': '' }],
  },
  'nothing is exported by default': {
    faults: [{ files: { [UNITS]: '\nexport default 1\n' }, found: `${UNITS}:2 has a default export` }],
  },
  'no unfinished business without an issue': {
    faults: [
      { files: { [UNITS]: `// one\n/* two\n * ${LEFT}: later */\n` }, found: `${UNITS}:3 says ${LEFT}` },
      { files: { [UNITS]: `// ${['FIX', 'ME'].join('')}(#12): broken\n` }, found: `${UNITS}:1 says` },
      { files: { [UNITS]: `// ${IGNORE}\n` }, found: `${UNITS}:1 says ${IGNORE}` },
    ],
    sound: [{ [UNITS]: `// ${LEFT}(#12): when the second transport exists\nexport const text: string = '${LEFT}'\n` }],
  },
  'no test is muted without a reason': {
    faults: [
      { files: { [TEST]: `\n${only}('a', () => {})\n` }, found: `${TEST}:2 uses ${only}` },
      { files: { [TEST]: `${skip}('a', () => {})\n` }, found: `${TEST}:1 uses ${skip}` },
      { files: { [TEST]: "test('a', { skip: true }, () => {})\n" }, found: `${TEST}:1 mutes a test (skip: true)` },
      { files: { [TEST]: "test('a', { only: true }, () => {})\n" }, found: `${TEST}:1 mutes a test (only: ` },
      { files: { [TEST]: `test('a', (t) => ${['t', 'skip'].join('.')}())\n` }, found: `${TEST}:1 uses t.` },
    ],
    sound: [{ [TEST]: `test('a', { skip: isRoot && 'the disk ignores modes for root' }, (t) => ${['t', 'skip'].join('.')}('no peer'))\n` }],
  },
  'no machine paths and no registry hosts': {
    faults: [
      { files: { 'docs/guide.md': `# Guide\n\nSee ${HOME}/notes.\n` }, found: 'docs/guide.md:3 names the machine path' },
      { files: { [UNITS]: `// as ${HOST} says\n` }, found: `${UNITS}:1 names the registry` },
    ],
    sound: [{ 'docs/guide.md': `Set ASCRIBE_DATA=/var/lib/ascribe. See https://example.com${HOME}/page and .${HOME}/notes.\n` }],
  },
  'no strays are tracked': {
    faults: [
      { files: { 'npm-debug.log': '' }, found: 'npm-debug.log:1 is a stray' },
      { files: { 'apps/gateway/gateway-0.1.0.tgz': '' }, found: 'apps/gateway/gateway-0.1.0.tgz:1 is a stray' },
    ],
  },
})
