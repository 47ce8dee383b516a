import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { deliveriesOf, runIngest } from '../ledger/ingest-run.ts'
import { openLedgerWorld } from '../ledger/ledger-world.ts'
import { recordSource } from '../ledger/synthetic-records.ts'
import { capacityTables } from './tables.ts'

// The tables of docs/capacity.md. `--measure` measures the size of a record first, as it is on the disk with its indexes.

const RECORDS = 200_000

if (process.argv.includes('--measure')) console.log(`recordBytes: ${await measureRecordBytes()}`)
else console.log(capacityTables())

async function measureRecordBytes(): Promise<number> {
  const cache = join(import.meta.dirname, '../../.peers')
  mkdirSync(cache, { recursive: true })
  const scratch = mkdtempSync(join(cache, 'scratch-'))
  try {
    await using world = await openLedgerWorld(scratch)
    await runIngest(world.db, deliveriesOf(recordSource({ count: RECORDS, hours: 16 }), RECORDS))
    const { rows } = await world.db.query<{ bytes: string }>(
      "select sum(pg_total_relation_size(inhrelid))::text as bytes from pg_inherits where inhparent = 'usage_record'::regclass",
    )
    return Math.round(Number(rows[0]?.bytes ?? 0) / RECORDS)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
