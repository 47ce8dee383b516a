import { randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { createApiKey } from '@ascribe/identity'
import { createCredential, createOrganization } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { nodeProgram } from '../contestants.ts'
import { Lines, memoryOf, start } from '../processes.ts'
import { number } from '../report.ts'
import type { Section } from '../report.ts'
import type { LedgerSetting } from '../setting.ts'
import { deliveriesOf, runIngest } from '../ledger/ingest-run.ts'
import { openLedgerWorld } from '../ledger/ledger-world.ts'
import type { LedgerWorld } from '../ledger/ledger-world.ts'
import { runRating } from '../ledger/rating-run.ts'
import { MONTH_HOURS, recordSource } from '../ledger/synthetic-records.ts'
import { ENDPOINTS } from './endpoints.ts'
import { get, load } from './users.ts'
import type { Load, User } from './users.ts'

const USERS = 50
/** What a person takes at least to see what came. */
const PAUSE_MS = 1000
const CHUNK = 100_000
/** When the month that is asked about has just ended. */
const NOW = Date.UTC(2026, 9, 1, 12)
const EXPORT_ROWS = 1_000_000
const MIB = 1024 * 1024

/** Every read over HTTP, by 50 at once, over a month of all organizations' records; and an export of a million rows. */
export async function measureReads(setting: LedgerSetting): Promise<Section> {
  const { quick, progress, scratch, records } = setting
  progress('starting a ledger')
  await using world = await openLedgerWorld(scratch)
  const source = recordSource({ count: records })
  for (let done = 0; done < records; done += CHUNK) {
    if (done % 1_000_000 === 0) progress(`loading, ${number(records - done)} records to go`)
    await runIngest(world.db, deliveriesOf(source, Math.min(CHUNK, records - done)), 2)
  }
  await world.db.query('analyze usage_record')
  progress('rating')
  await runRating(world.db)
  await world.db.query('vacuum analyze charge')
  await world.db.query('analyze')
  return await measure(world, { seconds: quick ? 1 : 4, exportRows: quick ? EXPORT_ROWS / 10 : EXPORT_ROWS, records, progress })
}

type Measure = {
  readonly seconds: number
  readonly exportRows: number
  readonly records: number
  readonly progress: (what: string) => void
}

async function measure(world: LedgerWorld, { seconds, exportRows, records, progress }: Measure): Promise<Section> {
  const secret = randomBytes(32)
  const users = await usersOf(world, secret)
  const big = await bigCustomer(world.db, { secret, rows: exportRows })
  await using api = start(
    nodeProgram(new URL('./api-process.ts', import.meta.url), [JSON.stringify(world.target), secret.toString('hex'), String(NOW)]),
    { core: 'any' },
  )
  const { url } = await new Lines(api).next<{ url: string }>()
  const loads: Loads[] = []
  for (const { name, path } of ENDPOINTS) {
    progress(`50 users: ${name}`)
    const urlOf = (user: User): string => url + path(user)
    const paced = await load(users, { urlOf, seconds: Math.max(2, seconds), pauseMs: PAUSE_MS })
    loads.push({ name, paced, flatOut: await load(users, { urlOf, seconds, pauseMs: 0 }) })
  }
  progress(`an export of ${number(exportRows)} rows`)
  const exported = await exportOf(url, big, api.pid)
  return sectionOf({ loads, exported, exportRows, records, serverVersion: world.serverVersion })
}

async function usersOf({ db, organizations }: LedgerWorld, secret: Buffer): Promise<readonly User[]> {
  const users: User[] = []
  for (const { id } of organizations.slice(0, USERS)) users.push({ organizationId: id, key: await keyOf(db, id, secret) })
  return users
}

async function keyOf(db: Database, organizationId: string, secret: Buffer): Promise<string> {
  const { key, ...hidden } = createApiKey(secret)
  await createCredential(db, { organizationId, ...hidden, scopes: ['billing:read'] })
  return key
}

/** A customer with as many charges as are to be exported: written as they are stored, for to rate them would take longer than to read them. */
async function bigCustomer(db: Database, { secret, rows }: { readonly secret: Buffer; readonly rows: number }): Promise<User> {
  const { id } = await createOrganization(db, { name: 'A million charges' })
  await db.query(
    `insert into charge (hour, organization_id, auth_id, user_id, resource_id, model, meter, price_sequence, rate, quantity, amount_nano, record_count)
     select '2026-09-01T00:00:00Z'::timestamptz + (n % ${MONTH_HOURS}) * interval '1 hour', $1::uuid, 'key_' || n / ${MONTH_HOURS}, 'user, "' || n, 'deployment',
       'bench-small', 'input_tokens', 1, 0.000001, n + 1, (n + 1) * 1000, 3
     from generate_series(0, $2::integer - 1) n`,
    [id, rows],
  )
  await db.query('vacuum analyze charge')
  return { organizationId: id, key: await keyOf(db, id, secret) }
}

type Exported = { readonly seconds: number; readonly bytes: number; readonly beforeMib: number; readonly mostMib: number }

async function exportOf(url: string, { organizationId, key }: User, pid: number): Promise<Exported> {
  const agent = new Agent()
  const path = (last: string): string => `${url}/v1/organizations/${organizationId}/exports/charges?from=2026-09-01&to=${last}&format=focus`
  // A day first: what is loaded once is no growth.
  await get(agent, path('2026-09-01'), key)
  const beforeMib = memoryOf(pid).now
  let mostMib = beforeMib
  const timer = setInterval(() => (mostMib = Math.max(mostMib, memoryOf(pid).now)), 50)
  const started = performance.now()
  const bytes = await get(agent, path('2026-09-30'), key)
  clearInterval(timer)
  agent.destroy()
  return { seconds: (performance.now() - started) / 1000, bytes, beforeMib, mostMib }
}

type Loads = { readonly name: string; readonly paced: Load; readonly flatOut: Load }

type Measured = {
  readonly loads: readonly Loads[]
  readonly exported: Exported
  readonly exportRows: number
  readonly records: number
  readonly serverVersion: string
}

function sectionOf({ loads, exported, exportRows, records, serverVersion }: Measured): Section {
  return {
    name: 'reads',
    title: `Reads over HTTP, PostgreSQL ${serverVersion} as it is embedded; a month of ${number(records)} records, 100 organizations, ${USERS} users who pause for ${PAUSE_MS / 1000} s, then ${USERS} who never do`,
    columns: ['', 'paced p50 ms', 'p95 ms', 'p99 ms', 'flat out requests/s', 'p50 ms', 'p95 ms', 'bytes'],
    rows: loads.map(({ name, paced, flatOut }) => [
      name,
      ...[paced.p50Ms, paced.p95Ms, paced.p99Ms, flatOut.perSecond, flatOut.p50Ms, flatOut.p95Ms, flatOut.bytes].map((value) =>
        number(value),
      ),
    ]),
    notes: [
      `export of ${number(exportRows)} charges as FOCUS: ${number(exported.seconds)} s, ${number(exportRows / exported.seconds)} rows/s, ${number(exported.bytes / MIB)} MiB; resident ${number(exported.beforeMib)} MiB before, ${number(exported.mostMib)} MiB at most`,
    ],
    targets: [
      ...loads.map(({ name, paced }) => ({
        what: `${name}, paced p95`,
        value: paced.p95Ms,
        limit: 100,
        kind: 'most' as const,
        unit: ' ms',
      })),
      {
        what: 'memory that an export adds',
        value: exported.mostMib - exported.beforeMib,
        limit: 128,
        kind: 'most',
        unit: ' MiB',
      },
    ],
    raw: { loads, exported, exportRows, records },
  }
}
