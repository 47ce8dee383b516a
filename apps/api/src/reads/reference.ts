import {
  getDailyCostBreakdown,
  getDailyCosts,
  getReferenceOrganization,
  listReferenceCredits,
  listReferenceInvoices,
  listReferenceRegions,
} from '@ascribe/contract/reads'
import type {
  OrganizationResponse,
  Paginated,
  ReferenceCreditBlock,
  ReferenceInvoice,
  ReferenceInvoicesQuery,
  ReferenceRegion,
} from '@ascribe/contract/reads'
import { INVOICE_STATES, listCredits, listInvoices } from '@ascribe/ledger/money'
import type { InvoiceState, InvoiceSummary } from '@ascribe/ledger/money'
import { dayText, readCatalogue, readDayCharges, readFamily, readOrganizationView } from '@ascribe/ledger/views'
import type { DayCharge, DayWindow, FamilyMember } from '@ascribe/ledger/views'
import { formatInstant, formatNano, isUuid, monthOf } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { badCursor, nextOf, placeOrRefuse } from './paging.ts'
import { dailyBreakdown, dailyCosts } from './reference-shapes.ts'

/** As the reference: its page shows the 20 most recent. */
const INVOICES = 20
/** More regions than there are clouds. */
const REGIONS = 1000

/** The reference's endpoints, which an unmodified console calls. */
export const referenceRoutes: readonly Route[] = [
  organizationRoute(getReferenceOrganization, readOrganization),
  organizationRoute(getDailyCostBreakdown, async (context, { query }) => {
    const window = { from: query.startDate, to: query.endDate }
    const { charges, family } = await dayCharges(context, window)
    return dailyBreakdown(window, charges, family)
  }),
  organizationRoute(getDailyCosts, async (context, { query }) => {
    const window = { from: query.startDate, to: query.endDate }
    return dailyCosts(window, (await dayCharges(context, window)).charges)
  }),
  organizationRoute(listReferenceCredits, readCredits),
  organizationRoute(listReferenceInvoices, (context, { query }) => readInvoices(context, query)),
  organizationRoute(listReferenceRegions, readRegions),
]

async function readOrganization({ db, organizationId, clock }: OrganizationContext): Promise<OrganizationResponse> {
  const view = await readOrganizationView(db, organizationId, clock())
  if (view === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  return {
    id: view.id,
    name: view.name,
    blocked: view.isBlocked,
    onboarded: view.isOnboarded,
    subscription: { type: view.plan, marketplace: 'direct' },
    ...(view.trialExpiresAt !== undefined && { trialExpiresAt: formatInstant(view.trialExpiresAt) }),
  }
}

type DayCharges = { readonly charges: readonly DayCharge[]; readonly family: readonly FamilyMember[] }

/**
 * Of the organization and its children: each child whose data is in the reply is told (R23). These shapes say no currency and their readers add
 * all amounts up, so a child that is billed in another one is not in them (R21): GET /v1/organizations/{id}/costs has it.
 */
async function dayCharges(context: OrganizationContext, window: DayWindow): Promise<DayCharges> {
  const { db, organizationId, clock } = context
  const [own, ...children] = await readFamily(db, organizationId)
  const family = own === undefined ? [] : [own, ...children.filter(({ currency }) => currency === own.currency)]
  const charges = await readDayCharges(db, { family, window, now: clock() })
  context.alsoAbout([...new Set(charges.map((charge) => charge.organizationId))].filter((id) => id !== organizationId))
  return { charges, family }
}

async function readCredits(
  { db, organizationId, clock }: OrganizationContext,
  { query }: { readonly query: { readonly cursor?: string | undefined } },
): Promise<Paginated<ReferenceCreditBlock>> {
  if (query.cursor !== undefined) throw badCursor()
  const blocks = await listCredits(db, { organizationId, at: clock() })
  return {
    data: blocks
      .filter(({ state }) => state === 'active')
      .map(({ balance, perUnitCostBasis }) => ({
        // A double, as the reference has it; the exact balance is in GET /v1/organizations/{id}/credits.
        balance: Number(formatNano(balance)),
        ...(perUnitCostBasis !== undefined && { perUnitCostBasis }),
      })),
  }
}

/** With a state that is asked for, those; else all but those that are not wanted. */
export function wantedStates(query: ReferenceInvoicesQuery): readonly InvoiceState[] {
  const asked = INVOICE_STATES.filter((state) => query[state] === true)
  if (asked.length > 0 || query.synced === true) return asked
  return INVOICE_STATES.filter((state) => query[state] !== false)
}

async function readInvoices(
  { db, organizationId, caller }: OrganizationContext,
  query: ReferenceInvoicesQuery,
): Promise<Paginated<ReferenceInvoice>> {
  const states = wantedStates(query)
  const scope = ['listReferenceInvoices', organizationId, ...states]
  const after = placeOrRefuse(scope, query.cursor)?.[0]
  if (after !== undefined && !isUuid(after)) throw badCursor()
  if (states.length === 0) return { data: [] }
  const found = await listInvoices(db, { organizationId, states, limit: INVOICES + 1, ...(after !== undefined && { after }) })
  const page = found.slice(0, INVOICES)
  const last = page.at(-1)
  return {
    data: page.map((invoice) => invoiceOf(invoice, { isOperator: caller.kind === 'operator' })),
    ...nextOf(scope, found.length > INVOICES && last !== undefined ? [last.id] : undefined),
  }
}

function invoiceOf(invoice: InvoiceSummary, { isOperator }: { readonly isOperator: boolean }): ReferenceInvoice {
  const { id, organizationId, number, month, state, currency, createdAt, issuedAt, total, amountDue } = invoice
  return {
    invoiceNumber: number ?? `draft-${month}`,
    status: state,
    issueDate: formatInstant(issuedAt ?? monthOf(month)?.end ?? createdAt),
    createdAt: formatInstant(createdAt),
    currency,
    total: formatNano(total),
    amountDue: formatNano(amountDue),
    // An operator gets no invoice links (R19).
    ...(!isOperator && { webUrl: `/v1/organizations/${organizationId}/invoices/${id}/html` }),
  }
}

async function readRegions(
  context: OrganizationContext,
  { query }: { readonly query: { readonly cursor?: string | undefined } },
): Promise<Paginated<ReferenceRegion>> {
  if (query.cursor !== undefined) throw badCursor()
  const { db, organizationId, clock } = context
  const organizationIds = (await readFamily(db, organizationId)).map(({ id }) => id)
  context.alsoAbout(organizationIds.filter((id) => id !== organizationId))
  const { entries } = await readCatalogue(db, { organizationIds, dimension: 'region', today: dayText(clock()), limit: REGIONS })
  return { data: entries.map(({ key }) => regionOf(key)) }
}

function regionOf(id: string): ReferenceRegion {
  const slash = id.indexOf('/')
  return { id, name: id.slice(slash + 1), cloudProvider: slash < 0 ? '' : id.slice(0, slash), url: '' }
}
