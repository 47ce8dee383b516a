import { setTimeout as delay } from 'node:timers/promises'
import type { Database, Queryable } from './database.ts'

/** "aspi" in ASCII: keeps two from the same build. */
const LOCK = 0x61737069
const LOOK_MS = 50

type Missing = {
  readonly index: string
  readonly name: string
  readonly partition: string
  readonly definition: string
}

// Of partitioned indexes that are not whole: each partition that has no part of it yet.
const MISSING = `
select i.indexrelid::regclass::text as index, left(p.relname, 30) || '_' || left(x.relname, 30) as name, p.oid::regclass::text as partition,
  pg_get_indexdef(i.indexrelid) as definition
from pg_index i
join pg_class x on x.oid = i.indexrelid and x.relkind = 'I'
join pg_inherits h on h.inhparent = i.indrelid
join pg_class p on p.oid = h.inhrelid
where not i.indisvalid and x.relnamespace = current_schema()::regnamespace and not exists (
  select from pg_inherits part join pg_index k on k.indexrelid = part.inhrelid where part.inhparent = i.indexrelid and k.indrelid = p.oid
)
order by p.relname limit 1`

/**
 * Finishes indexes of partitioned tables that a migration began by `create index … on only …`, which takes no time: builds the part of each
 * partition concurrently, so that nobody who writes waits, and attaches it. `create index concurrently` itself refuses partitioned tables.
 * Gives the number of parts that were built. Safe to repeat, to interrupt, and from several processes at once. @throws {DatabaseError}
 */
export async function buildPartitionIndexes(db: Database): Promise<number> {
  if ((await db.query(MISSING)).rowCount === 0) return 0
  return db.withConnection(async (session) => {
    // Asked for again and again: who waits inside one statement has a snapshot, and a concurrent build waits for all of those.
    while (!(await tryLock(session))) await delay(LOOK_MS)
    for (let built = 0; ; built += 1) {
      const [missing] = (await session.query<Missing>(MISSING)).rows
      if (missing === undefined) return built
      await buildPart(session, missing)
    }
  })
}

async function buildPart(session: Queryable, { index, name, partition, definition }: Missing): Promise<void> {
  const quoted = `"${name.replaceAll('"', '""')}"`
  // What an interrupted build left is of no use.
  await session.query(`drop index concurrently if exists ${quoted}`)
  const unique = definition.startsWith('CREATE UNIQUE') ? 'unique ' : ''
  await session.query(`create ${unique}index concurrently ${quoted} on ${partition} ${definition.slice(definition.indexOf(' USING '))}`)
  await session.query(`alter index ${index} attach partition ${quoted}`)
}

async function tryLock(session: Queryable): Promise<boolean> {
  const { rows } = await session.query<{ mine: boolean }>('select pg_try_advisory_lock($1::bigint) as mine', [LOCK])
  return rows[0]?.mine === true
}
