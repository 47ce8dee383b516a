import { copyFile, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openJournalWriter } from '@ascribe/journal'
import type { JournalWriter, JournalWriterOptions } from '@ascribe/journal'
import { silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { applyPriceBook, createOrganization, ledgerMigrations, mapAuthId, streamEvents } from '@ascribe/ledger'
import type { LedgerRecord } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { tryLock } from '@ascribe/service'
import { createIdSource } from '@ascribe/units'
import type { Intent, Settlement, UsageRecord } from '@ascribe/usage'
import { createSettler } from '../src/index.ts'
import type { Settler, SettlerDeps } from '../src/index.ts'

const migrations = await ledgerMigrations()
const free: TestDatabase[] = []

after(async () => {
  await Promise.all(free.map((db) => db[Symbol.asyncDispose]()))
})

// Emptying costs 10 ms, a clone 50 to 600, depending on what else the machine does.
const EMPTY = `
begin;
-- Past the triggers that keep histories as they are.
set local session_replication_role = replica;
alter table usage_record disable trigger user;
alter table price_version disable trigger user;
delete from charge; delete from usage_hour; delete from dirty_hour; delete from usage_record; delete from usage_quarantine;
delete from writer_position; delete from writer_range; delete from usage_archive; delete from price_version;
delete from auth_mapping; delete from credential_secret; delete from credential_secret_end; delete from credential;
delete from organization_version; delete from organization_parent; delete from user_version; delete from group_version;
delete from resource_version; delete from organization_member; delete from group_member; delete from directory_source;
delete from policy_due; delete from policy_key_change; delete from organization;
alter table usage_record enable trigger user;
alter table price_version enable trigger user;
commit`

/** An empty ledger, which nobody else uses until it is disposed. */
async function openLedger(isFresh: boolean): Promise<TestDatabase> {
  if (isFresh) return testDatabase({ migrations })
  const db = free.pop() ?? (await testDatabase({ migrations }))
  return {
    ...db,
    async [Symbol.asyncDispose]() {
      await db.query(EMPTY)
      free.push(db)
    },
  }
}

/** 2026-03-01T10:00:00Z: in a month of its own, far from now. */
export const TEN: number = Date.UTC(2026, 2, 1, 10)
export const HOUR = 3_600_000
export const MONTH = '2026-03'

/** Per token: 0.000001 in, 0.000002 out. */
export const BOOK = `version: 1
base_models:
  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }
`

/** A data directory, a ledger of its own, and what stands between them. */
export type Bench = AsyncDisposable & {
  readonly db: TestDatabase
  readonly data: string
  readonly journal: string
  readonly policy: string
  /** The writer of a gateway that lives until the test ends, or closes it. */
  writer(options?: Partial<JournalWriterOptions>): Promise<JournalWriter>
  /** A settler that has just started. */
  settler(deps?: Partial<SettlerDeps>): Settler
  /** Records of the ledger, in order of their instants. */
  records(): Promise<LedgerRecord[]>
}

/** A test that changes tables asks for a fresh ledger. */
export async function openBench({ fresh = false }: { readonly fresh?: boolean } = {}): Promise<Bench> {
  await using stack = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'ascribe-settler-'))
  stack.defer(() => rm(data, { recursive: true, force: true }))
  const db = stack.use(await openLedger(fresh))
  const [journal, policy] = [join(data, 'journal'), join(data, 'policy.json')]
  const owned = stack.move()
  return {
    db,
    data,
    journal,
    policy,
    async writer(options = {}) {
      return owned.use(
        await openJournalWriter({
          root: journal,
          tryLock,
          clock: systemClock,
          logger: silentLogger,
          segmentBytes: 1 << 20,
          ack: 'written',
          ...options,
        }),
      )
    },
    settler: (deps = {}) =>
      createSettler({ db, journal, policy, tryLock, clock: systemClock, logger: silentLogger, meters: silentMeters, ...deps }),
    records: () => Array.fromAsync(streamEvents(db)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Small enough that a few requests fill several segments. */
export const TINY: Partial<JournalWriterOptions> = { segmentBytes: 8192, intentBytesMax: 500, settlementBytesMax: 500 }

let lastInstant = 0
const nextId = createIdSource(() => lastInstant)
let serial = 0

/** A request with an event id of its own, each a millisecond after the one before. */
export function usageRecord(fields: Partial<UsageRecord> = {}): UsageRecord {
  serial += 1
  lastInstant = fields.startedAt ?? TEN + serial
  const eventId = nextId()
  return {
    eventId,
    startedAt: TEN + serial,
    requestId: eventId,
    authId: 'auth-1',
    resourceId: 'default',
    identifiedBy: 'headers',
    route: 'default',
    api: 'chat',
    modelAsked: 'small',
    streamed: false,
    endedAt: TEN + serial + 500,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    model: 'small',
    promptTokens: 100,
    cachedTokens: 0,
    completionTokens: 10,
    meters: { input_tokens: 100, output_tokens: 10 },
    ...fields,
  }
}

const SETTLEMENT: ReadonlySet<string> = new Set<keyof Settlement>([
  'endedAt',
  'outcome',
  'provenance',
  'status',
  'model',
  'finishReason',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'meters',
  'firstByteMs',
])

export function intentOf(record: UsageRecord): Intent {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !SETTLEMENT.has(name))) as Intent
}

/** Writes requests as a gateway does; gives their event ids, in order. */
export async function serve(writer: JournalWriter, records: readonly UsageRecord[]): Promise<string[]> {
  await Promise.all(records.map((record) => writer.intend(record.eventId, JSON.stringify(intentOf(record)))))
  await Promise.all(records.map((record) => writer.settle(record.eventId, JSON.stringify(record))))
  return records.map(({ eventId }) => eventId)
}

export function usageRecords(count: number, fields: Partial<UsageRecord> = {}): UsageRecord[] {
  return Array.from({ length: count }, () => usageRecord(fields))
}

/**
 * What a gateway leaves that is killed now: its segments as they are, and no lock. They go to another folder of journals, under the
 * same name. The lock file is not touched: closing a descriptor of it would end the living one's lock.
 */
export async function killedCopy(writer: JournalWriter, journal: string): Promise<void> {
  const to = join(journal, writer.writer)
  await mkdir(to, { recursive: true })
  const segments = (await readdir(writer.dir)).filter((name) => name.endsWith('.seg'))
  await Promise.all(segments.map((name) => copyFile(join(writer.dir, name), join(to, name))))
}

/** Names in a folder; none when it is missing. */
export async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch((): string[] => [])).toSorted((a, b) => (a < b ? -1 : 1))
}

export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8').catch(() => 'null'))
}

export const idsOf = (found: readonly LedgerRecord[]): string[] => found.map(({ record }) => record.eventId)

/** An organization that `auth-1` belongs to, and prices since ever. */
export async function createCustomer(db: Database): Promise<string> {
  const { id } = await createOrganization(db, { name: 'Acme' })
  await mapAuthId(db, { authId: 'auth-1', organizationId: id })
  await applyPriceBook(db, { text: BOOK, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
  return id
}

/** Waits for a condition, not for a time; gives up after fifteen seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}

/** Runs a settler until it is disposed. */
export function inBackground(settler: Settler): AsyncDisposable {
  const stop = new AbortController()
  const running = settler.run(stop.signal)
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

/** A logger that keeps what was said, as text. */
export function keepLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const say =
    (level: string) =>
    (message: string, fields: object = {}): void =>
      void lines.push(`${level} ${message} ${Object.values(fields).map(String).join(' ')}`)
  const logger: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), child: () => logger }
  return { logger, lines }
}

/** Meters that call back for every batch that was shipped; the rest is silent. */
export function onShipped(listen: (outcome: string, amount: number) => void): Meters {
  return {
    ...silentMeters,
    counter: (name) =>
      name === 'ascribe_settler_records_total'
        ? { add: (amount = 1, labels = {}) => listen(labels['outcome'] ?? '', amount) }
        : silentMeters.counter(name, ''),
  }
}
