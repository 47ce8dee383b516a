import assert from 'node:assert/strict'
import { after } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Statement } from '@ascribe/contract'
import type { Database, Queryable } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createIdSource } from '@ascribe/units'
import { unknownSettlement } from '@ascribe/usage'
import type { UsageRecord } from '@ascribe/usage'
import { createOrganization, ingestBatch, ledgerMigrations, mapAuthId, rateDirtyHours, readStatement, verifyRating } from '../src/index.ts'
import type { IngestSummary, NewPriceBook, Organization } from '../src/index.ts'

const migrations = await ledgerMigrations()
const free: TestDatabase[] = []

// Emptying costs 10 ms, a clone 50 to 600, depending on what else the machine does.
const EMPTY = `
begin;
-- Past the triggers that keep histories as they are.
set local session_replication_role = replica;
alter table usage_record disable trigger user;
alter table price_version disable trigger user;
alter table billing_period disable trigger user;
alter table statement_line disable trigger user;
alter table adjustment disable trigger user;
delete from adjustment; delete from statement_line; delete from billing_period; delete from dirty_period; delete from period_quantity;
delete from charge_day; delete from charge_day_built; delete from charge_day_mark; delete from cost_day; delete from usage_day; delete from cost_day_built; delete from superseded_record; delete from foreign_event; delete from record_act;
delete from charge; delete from provider_charge; delete from cloud_act_waiting; delete from cloud_act; delete from machine; delete from usage_hour; delete from dirty_hour; delete from usage_record; delete from usage_quarantine;
delete from writer_position; delete from writer_range; delete from usage_archive; delete from price_version;
delete from auth_mapping; delete from credential_secret; delete from credential_secret_end; delete from credential;
delete from organization_version; delete from organization_parent; delete from user_version; delete from group_version;
delete from resource_version; delete from organization_member; delete from group_member; delete from directory_source;
delete from policy_due; delete from policy_key_change; delete from credential_terms; delete from deployment_version;
delete from audit_personal; delete from audit_line; delete from audit_head;
delete from acting_session_end; delete from acting_session; delete from support_decision; delete from support_request;
delete from support_window_end; delete from support_window; delete from support_policy; delete from cloud_owner;
delete from idempotent_request; delete from platform_credential_use; delete from platform_credential_end; delete from platform_credential;
delete from organization;
alter table usage_record enable trigger user;
alter table price_version enable trigger user;
alter table billing_period enable trigger user;
alter table statement_line enable trigger user;
alter table adjustment enable trigger user;
commit`

after(async () => {
  await Promise.all(free.map((db) => db[Symbol.asyncDispose]()))
})

/** An empty ledger, which nobody else uses until it is disposed. A test that changes tables or settings asks for a fresh one. */
export async function openLedger({ fresh = false }: { readonly fresh?: boolean } = {}): Promise<TestDatabase> {
  if (fresh) return testDatabase({ migrations })
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

const sources = new Map<number, () => string>()
/** An id of that instant: ids and instants belong together. */
const idAt = (at: number): string => sources.getOrInsertComputed(at, () => createIdSource(() => at))()

/** A whole record; each has an event id of its own. */
export function usageRecord(fields: Partial<UsageRecord> = {}): UsageRecord {
  const startedAt = fields.startedAt ?? TEN
  const eventId = fields.eventId ?? idAt(startedAt)
  const meters = fields.meters ?? { input_tokens: 100, output_tokens: 10 }
  return {
    eventId,
    startedAt,
    requestId: eventId,
    authId: 'auth-1',
    resourceId: 'default',
    identifiedBy: 'headers',
    route: 'default',
    api: 'chat',
    modelAsked: 'small',
    streamed: false,
    endedAt: startedAt + 500,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    model: 'small',
    finishReason: 'stop',
    promptTokens: 100,
    cachedTokens: 0,
    completionTokens: 10,
    firstByteMs: 12.5,
    ...fields,
    meters,
  }
}

/** What recovery writes for an intent whose process died. */
export function unknownRecord(fields: Partial<UsageRecord> = {}): UsageRecord {
  const record = usageRecord(fields)
  const settlement = new Set(['status', 'model', 'finishReason', 'firstByteMs'])
  const intent = Object.fromEntries(Object.entries(record).filter(([name]) => !settlement.has(name)))
  return { ...intent, ...unknownSettlement(record.endedAt) } as UsageRecord
}

export function delivery(record: UsageRecord): { readonly eventId: string; readonly payload: string } {
  return { eventId: record.eventId, payload: JSON.stringify(record) }
}

let offset = 0

/** Delivers records as a journal would. */
export function deliver(db: Database, records: readonly UsageRecord[], writer = 'gateway-1'): Promise<IngestSummary> {
  offset += 1
  return ingestBatch(db, { writer, position: { segment: 1, offset }, records: records.map(delivery) })
}

/** Per token: small 0.000001 in, 0.0000001 cached, 0.000002 out. */
export const BOOK = `version: 1
base_models:
  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }
  large: { prompt: "0.00001", cached: "0.000001", completion: "0.00002" }
`
/** The same models, ten times as dear. */
export const DEAR_BOOK = `version: 1
base_models:
  small: { prompt: "0.00001", cached: "0.000001", completion: "0.00002" }
  large: { prompt: "0.0001", cached: "0.00001", completion: "0.0002" }
`

export function priceBook(fields: Partial<NewPriceBook> = {}): NewPriceBook {
  return { text: BOOK, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test', ...fields }
}

/** An organization to which `auth-1` belongs. */
export async function createCustomer(
  db: Database,
  {
    authId = 'auth-1',
    name = 'Acme',
    currency = 'USD',
  }: { readonly authId?: string; readonly name?: string; readonly currency?: string } = {},
): Promise<Organization> {
  const organization = await createOrganization(db, { name, currency })
  await mapAuthId(db, { authId, organizationId: organization.id })
  return organization
}

/** Rates everything that is dirty. */
export async function rateAll(db: Database): Promise<void> {
  while ((await rateDirtyHours(db)).more);
}

/** The statement of an organization, which must have one. */
export async function statementOf(db: Database, organizationId: string, month: string = MONTH): Promise<Statement> {
  const found = await readStatement(db, { organizationId, month, scope: 'operator' })
  assert.ok(found)
  return found
}

/** Everything that is stored is what the records come to. */
export async function assertSound(db: Database): Promise<void> {
  const { differences, pendingHours } = await verifyRating(db)
  assert.deepEqual({ differences, pendingHours }, { differences: [], pendingHours: 0 })
}

/** Everything that is derived, as text: equal texts are equal bytes. */
export async function dumpDerived(db: Database): Promise<string> {
  const charges = await db.query<{ line: string }>('select t::text as line from charge t order by t::text collate "C"')
  const usage = await db.query<{ line: string }>('select t::text as line from usage_hour t order by t::text collate "C"')
  return [...charges.rows, ...usage.rows].map(({ line }) => line).join('\n')
}

/** Far longer than anything here takes, so that a condition that never comes fails with its name. */
const PATIENCE_MS = 10_000

/** Waits until a condition of the database holds. */
export async function until(db: Queryable, sql: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while ((await db.query(sql)).rowCount === 0) {
    assert.ok(performance.now() < deadline, `still nothing: ${sql}`)
    await delay(5)
  }
}

/** Keeps what a statement locks until it is released; disposing releases it, so that a test that fails does not hang. */
export async function holdLock(db: Database, sql: string): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const taken = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  const holding = db.transaction(async (tx) => {
    await tx.query(sql)
    taken.resolve()
    await done.promise
  })
  await Promise.race([taken.promise, holding])
  const release = async (): Promise<void> => {
    done.resolve()
    await holding
  }
  return { release, [Symbol.asyncDispose]: release }
}
