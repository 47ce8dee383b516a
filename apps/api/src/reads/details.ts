import { getCharge, getRecord, listChargeRecords, listCharges, listRecords } from '@ascribe/contract/reads'
import type {
  ChargeDetail,
  ChargeJson,
  ChargesPage,
  ChargesQuery,
  PriceJson,
  RecordChargeJson,
  RecordJson,
  RecordsPage,
  RecordsQuery,
} from '@ascribe/contract/reads'
import { toEventJson } from '@ascribe/ledger'
import {
  findCharge,
  isOfCharge,
  periodOfDays,
  priceRecord,
  readAppliedPrice,
  readCharges,
  readRecord,
  readRecords,
} from '@ascribe/ledger/views'
import type {
  AppliedPrice,
  ChargePlace,
  CursorScope,
  RecordPlace,
  RecordQuery,
  RowFilter,
  ViewedCharge,
  ViewedRecord,
} from '@ascribe/ledger/views'
import { formatInstant, formatNano, isUuid } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { currencyOf } from './currency.ts'
import { badCursor, nextOf, placeOrRefuse } from './paging.ts'

/** From a charge to its records and to the price that applied. */
export const detailRoutes: readonly Route[] = [
  organizationRoute(listCharges, (context, { query }) => readChargesPage(context, query)),
  organizationRoute(getCharge, (context, { params }) => readChargeDetail(context, params.charge)),
  organizationRoute(listChargeRecords, (context, { params, query }) => readRecordsOfCharge(context, { ...query, charge: params.charge })),
  organizationRoute(listRecords, (context, { query }) => readRecordsPage(context, query)),
  organizationRoute(getRecord, (context, { params }) => readOneRecord(context, params.record)),
]

const FILTERS = ['apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter'] as const

function filterOf(query: Pick<RecordsQuery, (typeof FILTERS)[number]>): RowFilter {
  const { apiKey, user, group, resource, region, model, meter } = query
  return {
    ...(apiKey !== undefined && { authIds: apiKey }),
    ...(user !== undefined && { userIds: user }),
    ...(group !== undefined && { groupIds: group }),
    ...(resource !== undefined && { resourceIds: resource }),
    ...(region !== undefined && { regions: region }),
    ...(model !== undefined && { models: model }),
    ...(meter !== undefined && { meters: meter }),
  }
}

function scopeOf(operation: string, organizationId: string, query: ChargesQuery): CursorScope {
  return [operation, organizationId, query.from, query.to, ...FILTERS.map((name) => query[name]?.toSorted())]
}

async function readChargesPage(context: OrganizationContext, query: ChargesQuery): Promise<ChargesPage> {
  const { db, organizationId } = context
  const scope = scopeOf('listCharges', organizationId, query)
  const after = chargePlaceOf(placeOrRefuse(scope, query.cursor))
  const { charges, next } = await readCharges(db, {
    organizationId,
    period: periodOfDays(query),
    filter: filterOf(query),
    limit: query.limit,
    ...(after !== undefined && { after }),
  })
  const currency = await currencyOf(context)
  return { data: charges.map((charge) => chargeJson(charge, currency)), ...nextOf(scope, next && [String(next.hour), next.key]) }
}

function chargePlaceOf(place: readonly string[] | undefined): ChargePlace | undefined {
  if (place === undefined) return undefined
  const [hour = '', key = ''] = place
  if (!isInstantText(hour) || !isUuid(key)) throw badCursor()
  return { hour: Number(hour), key }
}

/** Epoch milliseconds that PostgreSQL holds, and that we wrote: until the year 9999. */
function isInstantText(text: string): boolean {
  return /^\d{1,15}$/.test(text) && Number(text) < Date.UTC(9999, 0)
}

function chargeJson(charge: ViewedCharge, currency: string): ChargeJson {
  return {
    id: charge.id,
    start: formatInstant(charge.period.start),
    end: formatInstant(charge.period.end),
    apiKey: charge.authId,
    user: charge.userId,
    group: charge.groupId,
    resource: charge.resourceId,
    model: charge.model,
    baseModel: charge.baseModel,
    meter: charge.meter,
    priceVersion: charge.priceSequence,
    rate: charge.rate,
    quantity: String(charge.quantity),
    amount: formatNano(charge.amount),
    currency,
    records: Number(charge.recordCount),
    ...(charge.recordsDigest !== undefined && { recordsDigest: charge.recordsDigest }),
  }
}

async function chargeOrRefuse({ db, organizationId }: OrganizationContext, chargeId: string): Promise<ViewedCharge> {
  const charge = await findCharge(db, { organizationId, chargeId })
  if (charge === undefined) throw new Refusal('not_found', 'There is no such charge. An hour that is rated again may have others.')
  return charge
}

async function readChargeDetail(context: OrganizationContext, chargeId: string): Promise<ChargeDetail> {
  const charge = await chargeOrRefuse(context, chargeId)
  const price = await readAppliedPrice(context.db, charge)
  return { ...chargeJson(charge, await currencyOf(context)), ...(price !== undefined && { price: priceJson(price) }) }
}

function priceJson({ effectiveFrom, ...price }: AppliedPrice): PriceJson {
  return { ...price, ...(effectiveFrom !== 'beginning' && { effectiveFrom: formatInstant(effectiveFrom) }) }
}

type OfCharge = { readonly charge: string; readonly limit: number; readonly cursor?: string | undefined }

async function readRecordsOfCharge(context: OrganizationContext, { charge: chargeId, limit, cursor }: OfCharge): Promise<RecordsPage> {
  const charge = await chargeOrRefuse(context, chargeId)
  const { organizationId } = context
  const query: RecordQuery = {
    organizationId,
    period: charge.period,
    filter: { authIds: [charge.authId], resourceIds: [charge.resourceId], meters: [charge.meter] },
    matches: (found) => isOfCharge(charge, found),
    limit,
  }
  return recordsPage(context, query, { scope: ['listChargeRecords', organizationId, charge.id], cursor })
}

async function readRecordsPage(context: OrganizationContext, query: RecordsQuery): Promise<RecordsPage> {
  const { organizationId } = context
  const { state, provenance } = query
  const asked: RecordQuery = {
    organizationId,
    period: periodOfDays(query),
    filter: filterOf(query),
    limit: query.limit,
    ...((state !== undefined || provenance !== undefined) && {
      matches: ({ fate, record }) => (state?.includes(fate.state) ?? true) && (provenance?.includes(record.provenance) ?? true),
    }),
  }
  const scope = [...scopeOf('listRecords', organizationId, query), state?.toSorted(), provenance?.toSorted()]
  return recordsPage(context, asked, { scope, cursor: query.cursor })
}

async function recordsPage(
  { db }: OrganizationContext,
  query: RecordQuery,
  { scope, cursor }: { readonly scope: CursorScope; readonly cursor: string | undefined },
): Promise<RecordsPage> {
  const after = recordPlaceOf(placeOrRefuse(scope, cursor))
  const { records, next } = await readRecords(db, { ...query, ...(after !== undefined && { after }) })
  return {
    data: records.map(recordJson),
    ...nextOf(scope, next && [String(next.instant), next.eventId]),
  }
}

function recordPlaceOf(place: readonly string[] | undefined): RecordPlace | undefined {
  if (place === undefined) return undefined
  const [instant = '', eventId = ''] = place
  if (!isInstantText(instant) || !isUuid(eventId)) throw badCursor()
  return { instant: Number(instant), eventId }
}

function recordJson(found: ViewedRecord): RecordJson {
  const charges = priceRecord(found)
  return {
    event: toEventJson(found),
    state: found.fate.state,
    ...(charges[0] !== undefined && { currency: charges[0].price.currency }),
    charges: charges.map(
      ({ quantity, price: { version, effectiveFrom, entry, own, rate, description }, amount, meter }): RecordChargeJson => ({
        meter,
        quantity: String(quantity),
        ...(amount !== undefined && { amount }),
        price: {
          version,
          ...(effectiveFrom !== 'beginning' && { effectiveFrom: formatInstant(effectiveFrom) }),
          entry,
          own,
          ...(rate !== undefined && { rate }),
          ...(description !== undefined && { description }),
        },
      }),
    ),
  }
}

async function readOneRecord({ db, organizationId }: OrganizationContext, eventId: string): Promise<RecordJson> {
  const found = await readRecord(db, { organizationId, eventId })
  if (found === undefined) throw new Refusal('not_found', 'There is no such record.')
  return recordJson(found)
}
