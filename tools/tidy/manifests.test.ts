import { manifestRules } from './manifests.ts'
import { manifest, proveRules } from './planted.ts'

const UNITS = 'packages/units/package.json'
const USAGE = 'packages/usage/package.json'

proveRules(manifestRules, {
  'every workspace says what it is and on which layer': {
    faults: [
      { files: { [UNITS]: manifest('units', 6) }, found: `${UNITS}:1 has layer 6` },
      { files: { [UNITS]: manifest('units', 0, { ascribe: undefined }) }, found: `${UNITS}:1 has layer undefined` },
      { files: { 'apps/gateway/package.json': manifest('gateway', 7) }, found: 'apps/gateway/package.json:1 has layer 7' },
      { files: { [UNITS]: manifest('kit', 0) }, found: `${UNITS}:1 is named @ascribe/kit` },
      { files: { [UNITS]: manifest('units', 0, { description: '' }) }, found: `${UNITS}:1 has no description` },
      { files: { [UNITS]: manifest('units', 0, { type: 'commonjs' }) }, found: `${UNITS}:1 has no "type": "module"` },
    ],
    sound: [{ 'e2e/package.json': manifest('e2e', 8) }],
  },
  'every package and app has a README and a test': {
    faults: [
      { files: { 'packages/units/README.md': null }, found: 'packages/units/README.md:1 is missing' },
      { files: { 'apps/gateway/src/index.test.ts': null }, found: 'apps/gateway/src:1 has no test' },
    ],
    sound: [
      { 'bench/package.json': manifest('bench', 8) },
      { 'apps/gateway/src/index.test.ts': null, 'apps/gateway/test/serves.test.ts': '' },
    ],
  },
  'every dependency is pinned to an exact version': {
    faults: [
      { files: { [UNITS]: manifest('units', 0, { dependencies: { zod: '^4.6.7' } }) }, found: `${UNITS}:1 asks for zod ^4.6.7` },
      { files: { 'package.json': '{\n  "optionalDependencies": {\n    "x": "latest"\n  }\n}' }, found: 'package.json:3 asks for x latest' },
    ],
    sound: [{ [UNITS]: manifest('units', 0, { devDependencies: { x: '18.4.0-beta.17' } }) }],
  },
  'a workspace depends only on lower layers': {
    faults: [
      {
        files: { [UNITS]: manifest('units', 0, { dependencies: { '@ascribe/usage': '0.1.0' } }) },
        found: `${UNITS}:1 (layer 0) depends on @ascribe/usage (layer 1)`,
      },
      {
        files: { [USAGE]: manifest('usage', 1, { optionalDependencies: { '@ascribe/ledger': '0.1.0' } }) },
        found: `${USAGE}:1 (layer 1) depends on @ascribe/ledger (layer 3)`,
      },
      {
        files: { [USAGE]: manifest('usage', 1, { devDependencies: { '@ascribe/gateway': '0.1.0' } }) },
        found: `${USAGE}:1 tests with the app @ascribe/gateway`,
      },
    ],
    sound: [{ [UNITS]: manifest('units', 0, { devDependencies: { '@ascribe/usage': '0.1.0' } }) }],
  },
  'the lockfile carries no download addresses': {
    faults: [
      {
        files: { 'package-lock.json': ['{', `  "resolved": "${'https'}://packages.example/zod.tgz"`, '}'].join('\n') },
        found: 'package-lock.json:2 carries an address',
      },
    ],
  },
})
