import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SOUND, proveRules } from './planted.ts'
import { billingTables, sqlRules } from './sql.ts'
import { createTree } from './tree.ts'

const GATEWAY = 'apps/gateway/src/a.ts'
const POSTGRES = 'packages/postgres/src/a.ts'

proveRules(sqlRules, {
  'only ledger writes billing SQL': {
    faults: [
      { files: { [GATEWAY]: "export const a = 'select id from charge where id = $1'\n" }, found: `${GATEWAY}:1 holds SQL` },
      {
        files: { [GATEWAY]: 'export const a = `\n  -- every charge\n  INSERT INTO charge (id) VALUES (${1})`\n' },
        found: `${GATEWAY}:1 holds SQL`,
      },
      { files: { [GATEWAY]: "export const a = 'update charge set id = $1'\n" }, found: `${GATEWAY}:1 holds SQL` },
      { files: { [GATEWAY]: "export const a = 'with old as (select 1) delete from charge'\n" }, found: `${GATEWAY}:1 holds SQL` },
      {
        files: { [GATEWAY]: "import { DatabaseSync } from 'node:sqlite'\nexport const a = [DatabaseSync, 'select id from charge']\n" },
        found: `${GATEWAY}:2 holds SQL`,
      },
      { files: { [POSTGRES]: "export const a = 'delete from charge where id = $1'\n" }, found: `${POSTGRES}:1 holds SQL` },
    ],
    sound: [
      { 'packages/ledger/src/a.ts': "export const a = 'select id from charge'\n" },
      { [GATEWAY]: "import { DatabaseSync } from 'node:sqlite'\nexport const a = [DatabaseSync, 'select id from claim']\n" },
      { [POSTGRES]: "export const a = 'select version from migration'\n" },
      {
        [GATEWAY]:
          "export const a = 'Select a key from the list'\nexport const b = 'updates from the settler'\nexport const c = 'with no key'\n",
      },
      { 'e2e/a.test.ts': "export const a = 'select sum(amount) from charge'\n" },
    ],
  },
  '.sql files live in ledger': {
    faults: [{ files: { 'apps/gateway/src/a.sql': 'select 1;\n' }, found: 'apps/gateway/src/a.sql:1 is SQL outside packages/ledger' }],
    sound: [{ 'packages/postgres/test/migrations/0001.sql': 'select 1;\n' }],
  },
})

test('billingTables() reads the tables from the migrations of ledger', () => {
  const tree = createTree({
    ...SOUND,
    'packages/ledger/migrations/0002.sql': 'CREATE TABLE IF NOT EXISTS ledger."price_version" (id int);\n',
  })
  assert.deepEqual(billingTables(tree), ['charge', 'price_version'])
})
