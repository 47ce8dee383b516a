import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { RouteDef } from '@ascribe/contract'
import { isJsonReply } from '@ascribe/contract'
import { silentLogger } from '@ascribe/kit'
import {
  applyPriceBook,
  closeMonth,
  createCredential,
  createOrganization,
  ingestBatch,
  ledgerMigrations,
  mapAuthId,
  mapOwner,
  setBudget,
  syncDirectory,
} from '@ascribe/ledger'
import { grantCredit, issueInvoice, setBillingParty } from '@ascribe/ledger/money'
import { createApiKey } from '@ascribe/identity'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import type { Database } from '@ascribe/postgres'
import { createIdSource, parseNano } from '@ascribe/units'
import type { Caller, StreamReply } from '../src/handler.ts'
import { readRoutes } from '../src/reads/index.ts'
import { HOUR, TEN, serverSecret, settle, usageRecord } from './support.ts'
import type { UsageRecord } from './support.ts'

/** 2026-04-20T15:00:00Z: March is closed and billed, April lasts. */
export const NOW: number = Date.UTC(2026, 3, 20, 15)
export const DAY: number = 24 * HOUR

/** Tokens, disks, and images that only the total of a month prices; a minimum of nobody's but the parent's. */
const bookText = (parentId: string): string => `version: 1
base_models:
  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }
  tiered:
    prompt: "0.000001"
    cached: "0"
    completion: "0"
    meters: { images: { mode: graduated, tiers: [{ up_to: 10, price: "0.03" }, { price: "0.01" }] } }
  machine: { prompt: "0", cached: "0", completion: "0", meters: { vm_cpu_mhz_hours: "0.00001", vm_disk_gib_hours: "0.0002", vm_egress_gib: "0.05" } }
minimums: [{ organization: ${parentId}, amount: "5" }]
`

export type Tenant = {
  readonly id: string
  /** What marks everything of it: no reply to anybody else may hold it. */
  readonly mark: string
  readonly key: string
  readonly authId: string
  readonly invoiceId: string
  readonly machineId: string
  readonly eventIds: readonly string[]
}

export type World = AsyncDisposable & {
  readonly db: TestDatabase
  readonly parent: Tenant
  readonly child: Tenant
  readonly stranger: Tenant
}

const nano = (text: string): bigint => {
  const amount = parseNano(text)
  assert(typeof amount === 'bigint')
  return amount
}

async function addKey(db: Database, organizationId: string, mark: string): Promise<{ readonly key: string; readonly authId: string }> {
  const { key, publicId, hmac } = createApiKey(serverSecret)
  const made = await createCredential(db, { organizationId, publicId, hmac, scopes: ['billing:read', 'inference'], name: `key of ${mark}` })
  assert(made.kind === 'created')
  return { key, authId: made.authId }
}

/** Usage of one tenant over two months: days around daylight saving and the ends of months among them. */
export function recordsOf({ mark, authId }: Pick<Tenant, 'mark' | 'authId'>, scale: number): readonly UsageRecord[] {
  const at = [
    TEN,
    TEN + HOUR,
    Date.UTC(2026, 2, 8, 7),
    Date.UTC(2026, 2, 29, 1),
    Date.UTC(2026, 2, 31, 23, 59),
    Date.UTC(2026, 3, 1),
    NOW - DAY,
    NOW - 2 * HOUR,
  ]
  const fields = { authId, resourceId: `deployment-${mark}` }
  return [
    ...at.map((startedAt, index) =>
      usageRecord({ ...fields, startedAt, meters: { input_tokens: 1000 * scale + index, output_tokens: 10 } }),
    ),
    usageRecord({ ...fields, startedAt: TEN + 2 * HOUR, model: 'tiered', meters: { images: 12 * scale } }),
    usageRecord({ ...fields, startedAt: NOW - 3 * HOUR, model: 'tiered', meters: { images: 7 } }),
    usageRecord({
      ...fields,
      resourceId: `vm-${mark}`,
      resourceType: 'vm',
      startedAt: Date.UTC(2026, 3, 10, 5),
      model: 'machine',
      meters: { vm_cpu_mhz_hours: 2000, vm_disk_gib_hours: 50, vm_egress_gib: 3 * scale },
    }),
    usageRecord({ ...fields, startedAt: NOW - 5 * HOUR, model: `unpriced-${mark}`, modelAsked: `unpriced-${mark}` }),
  ]
}

/** A parent with a child, and somebody else; all with the same kinds of things, each marked. */
export async function openWorld(): Promise<World> {
  const db = await testDatabase({ migrations: await ledgerMigrations() })
  const parent = await createOrganization(db, { name: 'CANARY-parent' })
  const child = await createOrganization(db, { name: 'CANARY-child', parentId: parent.id })
  const stranger = await createOrganization(db, { name: 'CANARY-stranger' })
  await applyPriceBook(db, { text: bookText(parent.id), file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
  const tenants: Omit<Tenant, 'invoiceId'>[] = []
  for (const [index, organization] of [parent, child, stranger].entries()) tenants.push(await furnish(db, organization, index + 1))
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'test' })).kind, 'closed')
  const billed: Tenant[] = []
  for (const tenant of tenants) {
    const issued = await issueInvoice(db, { organizationId: tenant.id, month: '2026-03', by: 'test', at: Date.now() })
    assert(issued.outcome === 'issued', issued.outcome)
    billed.push({ ...tenant, invoiceId: issued.id })
  }
  const [one, two, three] = billed
  assert(one !== undefined && two !== undefined && three !== undefined)
  return { db, parent: one, child: two, stranger: three, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() }
}

type Named = { readonly id: string; readonly name: string }

/** A machine in the cloud account of one of the tenant's people, as a controller tells of it; it has used nothing yet. */
async function addMachine(db: Database, { id, mark }: { readonly id: string; readonly mark: string }): Promise<string> {
  const [userId, serverId] = [randomUUID(), `server-${mark}`]
  await mapOwner(db, { userId, organizationId: id })
  const nextId = createIdSource(() => NOW)
  const authId = `cloudsigma:${userId}`
  const note = {
    kind: 'machine',
    eventId: nextId(),
    startedAt: NOW - HOUR,
    serverId,
    name: `machine of ${mark}`,
    namespace: `team-${mark}`,
    region: 'zrh',
    account: 'Owner',
    authId,
    userId,
    state: 'running',
    cpuMhz: 2000,
    memoryMib: 2048,
    diskBytes: String(20 * 2 ** 30),
    addresses: 1,
    since: Date.UTC(2026, 2, 2),
  }
  const act = {
    kind: 'act',
    eventId: nextId(),
    startedAt: NOW - HOUR,
    endedAt: NOW - HOUR + 5,
    verb: 'create_server',
    authId,
    account: { kind: 'Owner', userId, region: 'zrh' },
    actor: {
      controller: 'ascribe-controller/a',
      object: `CloudSigmaMachine team-${mark}/m`,
      objectUid: 'u',
      requestedBy: `ada@${mark}.example`,
    },
    outcome: 'done',
    made: { type: 'server', uuid: serverId },
  }
  await ingestBatch(db, {
    writer: `controller-${mark}`,
    position: { segment: 1, offset: 1 },
    records: [note, act].map((side) => ({ eventId: side.eventId, payload: JSON.stringify(side) })),
  })
  return serverId
}

async function furnish(db: Database, { id, name: mark }: Named, scale: number): Promise<Omit<Tenant, 'invoiceId'>> {
  const { key, authId } = await addKey(db, id, mark)
  await syncDirectory(
    db,
    {
      groups: [{ id: `group-${mark}`, organization: id, name: `people of ${mark}` }],
      users: [{ id: `user-${mark}`, name: `Ada of ${mark}`, email: `ada@${mark}.example`, organizations: [id], groups: [`group-${mark}`] }],
      resources: [
        { id: `deployment-${mark}`, type: 'deployment', organization: id, region: `aws/${mark}` },
        { id: `vm-${mark}`, type: 'vm', name: `machine of ${mark}`, organization: id },
      ],
    },
    { source: `test-${mark}` },
  )
  await mapAuthId(db, {
    authId,
    organizationId: id,
    userId: `user-${mark}`,
    groupId: `group-${mark}`,
    from: Date.UTC(2026, 0, 1),
    correct: true,
  })
  const budget = { scope: 'organization', subject: id, unit: 'USD', period: 'month', name: `budget of ${mark}`, by: 'test' } as const
  await setBudget(db, { ...budget, limit: 10n ** 20n, webhookUrl: `https://hooks.example/secret-${mark}` }, NOW)
  await grantCredit(db, {
    organizationId: id,
    amount: nano('0.002'),
    costBasis: nano('0.001'),
    kind: 'prepaid',
    effectiveFrom: Date.UTC(2026, 0, 1),
    note: `credit of ${mark}`,
    by: 'test',
  })
  await setBillingParty(db, { organizationId: id, legalName: `${mark} Inc.`, address: '', country: '', taxId: '', email: '', by: 'test' })
  const records = recordsOf({ mark, authId }, scale)
  await settle(db, records)
  const machineId = await addMachine(db, { id, mark })
  return { id, mark, key, authId, machineId, eventIds: records.map(({ eventId }) => eventId) }
}

export const user = (organizationId: string): Caller => ({ kind: 'user', subject: 'u', organizationId, role: 'viewer', via: 'bearer' })
export const operator: Caller = {
  kind: 'operator',
  name: 'op',
  roles: [],
  issuer: 'teleport',
  named: [],
  policy: { mayViewAll: true, organizations: new Set(), childrenOf: new Set(), maySearch: true, mayActImplied: true },
}

type Input = { readonly params?: Readonly<Record<string, string>>; readonly query?: Readonly<Record<string, string | readonly string[]>> }
export type Answer<Reply> = {
  readonly reply: Reply
  /** Whose data is said to be in it, beside the one that was asked about. */ readonly also: readonly string[]
}

/** Calls a read as the registry does: input parsed by the schemas of its definition, and the reply checked against them. */
export async function read<Params, Query, Body, Reply>(
  db: Database,
  def: RouteDef<Params, Query, Body, Reply>,
  {
    organizationId,
    caller = user(organizationId),
    now = NOW,
    ...input
  }: Input & { readonly organizationId: string; readonly caller?: Caller; readonly now?: number },
): Promise<Answer<Reply>> {
  const found = readRoutes.find((each) => each.def.operationId === def.operationId)
  assert(found !== undefined, `${def.operationId} has no handler`)
  const also: string[] = []
  const hasId = def.path.includes('{id}')
  const params = def.params.parse({ ...(hasId && { id: organizationId }), ...input.params })
  const query = def.query.parse(input.query ?? {})
  const reply = await found.handle(
    {
      caller,
      organizationId,
      requestId: 'test',
      db,
      logger: silentLogger,
      clock: () => now,
      headers: {},
      rawHeaders: [],
      alsoAbout: (ids: readonly string[]) => void also.push(...ids),
      note: () => {},
    } as unknown as Parameters<typeof found.handle>[0],
    { params, query, body: undefined },
  )
  if (isJsonReply(def.reply)) {
    const parsed = def.reply.safeParse(reply)
    assert(parsed.success, `${def.operationId} breaks the contract: ${parsed.error?.message ?? ''}`)
  }
  return { reply: reply as Reply, also }
}

/** All of a stream. */
export async function textOfStream(reply: unknown): Promise<string> {
  let text = ''
  for await (const chunk of (reply as StreamReply).chunks) text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
  return text
}

/** Sums decimals exactly. */
export function sum(amounts: Iterable<string>): bigint {
  let total = 0n
  for (const amount of amounts) total += nano(amount)
  return total
}

export { nano }
