import { importRules } from './imports.ts'
import { manifest, proveRules } from './planted.ts'

const UNITS = 'packages/units/src/a.ts'
const USAGE = 'packages/usage/src/a.ts'
const LEDGER = 'packages/ledger/src/a.ts'

/** A package that is published by itself, with a workspace built in. */
const PUBLISHED = manifest('usage', 1, {
  publishConfig: { exports: { '.': './dist/packages/usage/src/index.js' } },
  devDependencies: { '@ascribe/units': '0.1.0', zod: '4.0.0' },
})

proveRules(importRules, {
  'a source imports only what its package.json declares': {
    faults: [
      {
        files: { [USAGE]: "import { z } from 'zod'\n" },
        found: `${USAGE}:1 imports zod, which packages/usage's package.json does not declare`,
      },
      { files: { [USAGE]: "\nconst zod = await import('zod/v4')\n" }, found: `${USAGE}:2 imports zod` },
      { files: { [USAGE]: "export { z } from 'zod'\n" }, found: `${USAGE}:1 imports zod` },
      {
        files: { [LEDGER]: "import { one } from '@ascribe/usage'\n" },
        found: `${LEDGER}:1 ships an import of @ascribe/usage, a devDependency`,
      },
      { files: { 'tools/x.ts': "import { one } from '@ascribe/units'\n" }, found: 'tools/x.ts:1 imports @ascribe/units, which the root' },
      {
        files: { 'packages/usage/package.json': PUBLISHED, [USAGE]: "import { z } from 'zod'\n" },
        found: `${USAGE}:1 ships an import of zod, a devDependency`,
      },
    ],
    sound: [
      { 'packages/usage/package.json': PUBLISHED, [USAGE]: "import { one } from '@ascribe/units'\n" },
      { 'packages/ledger/src/b.test.ts': "import { one } from '@ascribe/usage'\n" },
      { [LEDGER]: "import type { One } from '@ascribe/usage'\nimport { type Two } from '@ascribe/usage'\n" },
      {
        [LEDGER]:
          "import { one } from '@ascribe/ledger'\n// import { z } from 'zod'\nexport const text: string = \"import { z } from 'zod'\"\n",
      },
      { 'tools/x.ts': "import fc from 'fast-check'\n" },
    ],
  },
  'a package is imported only through its exports': {
    faults: [
      {
        files: { [USAGE]: "import { one } from '@ascribe/units/src/index.ts'\n" },
        found: `${USAGE}:1 imports @ascribe/units/src/index.ts, which @ascribe/units does not export`,
      },
      { files: { [USAGE]: "import { one } from '@ascribe/units/testing'\n" }, found: `${USAGE}:1 imports @ascribe/units/testing` },
    ],
    sound: [
      {
        'packages/units/package.json': manifest('units', 0, { exports: { '.': './src/index.ts', './testing': './src/testing.ts' } }),
        [USAGE]: "import { one } from '@ascribe/units/testing'\n",
      },
    ],
  },
  'relative imports stay in their workspace and end in .ts': {
    faults: [
      {
        files: { [USAGE]: "import { one } from '../../units/src/index.ts'\n" },
        found: `${USAGE}:1 imports ../../units/src/index.ts from outside packages/usage/`,
      },
      {
        files: { 'tools/x.ts': "import { one } from '../packages/units/src/index.ts'\n" },
        found: 'tools/x.ts:1 imports ../packages/units/src/index.ts from outside tools/',
      },
      { files: { [USAGE]: "import { one } from './index'\n" }, found: `${USAGE}:1 imports ./index; relative imports end in .ts` },
      { files: { [USAGE]: "import { one } from './index.js'\n" }, found: `${USAGE}:1 imports ./index.js` },
    ],
    sound: [{ [USAGE]: "import { one } from './index.ts'\nconst where = new URL('../migrations/', import.meta.url)\n" }],
  },
  'layers 0 and 1 do no I/O': {
    faults: [
      { files: { [UNITS]: "import { createHash } from 'node:crypto'\n" }, found: `${UNITS}:1 imports node:crypto; layer 0` },
      {
        files: { [USAGE]: "import { readFile } from 'node:fs/promises'\n" },
        found: `${USAGE}:1 imports node:fs/promises; layer 1 does no I/O`,
      },
      { files: { [USAGE]: 'export const now: bigint = process.hrtime.bigint()\n' }, found: `${USAGE}:1 uses process` },
    ],
    sound: [
      { [USAGE]: "import { createHash } from 'node:crypto'\n" },
      { 'packages/usage/test/files.test.ts': "import { readFile } from 'node:fs/promises'\n" },
      { [LEDGER]: "import { readFile } from 'node:fs/promises'\n" },
    ],
  },
  'the console imports only browser-safe packages': {
    faults: [
      {
        files: { 'apps/console/src/a.ts': "import { one } from '@ascribe/ledger'\n" },
        found: 'apps/console/src/a.ts:1 imports @ascribe/ledger into the browser',
      },
    ],
    sound: [{ 'apps/console/src/a.ts': "import { one } from '@ascribe/units'\n" }],
  },
})
