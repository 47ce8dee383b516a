import { getInvoice, listBudgets, listCredits, listInvoices, listStatements, printInvoice } from '@ascribe/contract/reads'
import type {
  BudgetJson,
  BudgetsReply,
  CreditsReply,
  InvoiceDetail,
  InvoiceJson,
  InvoicesPage,
  InvoicesQuery,
  StatementsPage,
} from '@ascribe/contract/reads'
import type { BudgetState } from '@ascribe/ledger'
import {
  INVOICE_STATES,
  findInvoice,
  listCreditNotes,
  listInvoices as invoicesOf,
  readInvoiceContent,
  renderInvoiceHtml,
} from '@ascribe/ledger/money'
import type { CreditBlock, CreditEntry, InvoiceContent, InvoiceSummary } from '@ascribe/ledger/money'
import { listStatements as statementsOf, readBudgetsOf, readCreditsView, readFamily } from '@ascribe/ledger/views'
import { formatInstant, formatNano, formatRate, isUuid, monthOf } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { badCursor, nextOf, placeOrRefuse } from './paging.ts'

/** Statements, invoices, credits and budgets. */
export const moneyRoutes: readonly Route[] = [
  organizationRoute(listStatements, (context, { query }) => readStatements(context, query.cursor)),
  organizationRoute(listInvoices, (context, { query }) => readInvoices(context, query)),
  organizationRoute(getInvoice, (context, { params }) => readInvoice(context, params.invoice)),
  organizationRoute(printInvoice, (context, { params }) => printView(context, params.invoice)),
  organizationRoute(listCredits, (context) => readCredits(context)),
  organizationRoute(listBudgets, (context) => readBudgets(context)),
]

async function readStatements({ db, organizationId, clock }: OrganizationContext, cursor: string | undefined): Promise<StatementsPage> {
  const scope = ['listStatements', organizationId]
  const before = placeOrRefuse(scope, cursor)?.[0]
  if (before !== undefined && monthOf(before) === undefined) throw badCursor()
  const { statements, next } = await statementsOf(db, { organizationId, now: clock(), ...(before !== undefined && { before }) })
  return {
    data: statements.map(({ month, currency, isProvisional, total }) => ({
      month,
      currency,
      provisional: isProvisional,
      total: formatNano(total),
    })),
    ...nextOf(scope, next === undefined ? undefined : [next]),
  }
}

async function readInvoices({ db, organizationId, caller }: OrganizationContext, query: InvoicesQuery): Promise<InvoicesPage> {
  const states = query.state ?? INVOICE_STATES
  const scope = ['listInvoices', organizationId, ...states.toSorted()]
  const after = placeOrRefuse(scope, query.cursor)?.[0]
  if (after !== undefined && !isUuid(after)) throw badCursor()
  const found = await invoicesOf(db, { organizationId, states, limit: query.limit + 1, ...(after !== undefined && { after }) })
  const page = found.slice(0, query.limit)
  const last = page.at(-1)
  return {
    data: page.map((invoice) => invoiceJson(invoice, { isOperator: caller.kind === 'operator' })),
    ...nextOf(scope, found.length > query.limit && last !== undefined ? [last.id] : undefined),
  }
}

function invoiceJson(invoice: InvoiceSummary, { isOperator }: { readonly isOperator: boolean }): InvoiceJson {
  const { id, organizationId, number, issuedAt, dueAt, paidAt, voidedAt } = invoice
  return {
    id,
    ...(number !== undefined && { number }),
    ...(issuedAt !== undefined && { issuedAt: formatInstant(issuedAt) }),
    ...(dueAt !== undefined && { dueAt: formatInstant(dueAt) }),
    month: invoice.month,
    state: invoice.state,
    currency: invoice.currency,
    createdAt: formatInstant(invoice.createdAt),
    ...(paidAt !== undefined && { paidAt: formatInstant(paidAt) }),
    ...(voidedAt !== undefined && { voidedAt: formatInstant(voidedAt) }),
    subtotal: formatNano(invoice.subtotal),
    credits: formatNano(invoice.credits),
    tax: formatNano(invoice.tax),
    rounding: formatNano(invoice.rounding),
    total: formatNano(invoice.total),
    credited: formatNano(invoice.credited),
    amountDue: formatNano(invoice.amountDue),
    lines: invoice.lineCount,
    sha256: invoice.sha256,
    // An operator gets no invoice links (R19).
    ...(!isOperator && { htmlPath: `/v1/organizations/${organizationId}/invoices/${id}/html` }),
  }
}

type Found = { readonly summary: InvoiceSummary; readonly content: InvoiceContent }

/** Another organization's invoice is as unknown as none. */
async function invoiceOrRefuse({ db, organizationId }: OrganizationContext, idOrNumber: string): Promise<Found> {
  const summary = await findInvoice(db, idOrNumber)
  const content = summary?.organizationId === organizationId ? await readInvoiceContent(db, summary.id) : undefined
  if (summary === undefined || content === undefined) throw new Refusal('not_found', 'There is no such invoice.')
  return { summary, content }
}

async function readInvoice(context: OrganizationContext, idOrNumber: string): Promise<InvoiceDetail> {
  const { summary, content } = await invoiceOrRefuse(context, idOrNumber)
  const notes = await listCreditNotes(context.db, summary.id)
  return {
    ...invoiceJson(summary, { isOperator: context.caller.kind === 'operator' }),
    lineItems: content.lines.map(({ auth_id: apiKey, line, kind, model, meter, quantity, rate, amount, description, corrects }) => ({
      line,
      kind,
      model,
      apiKey,
      meter,
      quantity,
      rate,
      amount,
      ...(description !== undefined && { description }),
      ...(corrects !== undefined && { corrects }),
    })),
    creditsDrawn: content.credits.map(({ kind, note, amount }) => ({ kind, note, amount })),
    taxes: content.taxes.map(({ name, rate_percent: ratePercent, base, amount }) => ({ name, ratePercent, base, amount })),
    creditNotes: notes.map((note) => ({
      number: note.number,
      issuedAt: formatInstant(note.issuedAt),
      reason: note.reason,
      net: formatNano(note.net),
      tax: formatNano(note.tax),
      total: formatNano(note.total),
    })),
  }
}

async function printView(context: OrganizationContext, idOrNumber: string): Promise<PlainReply> {
  const { summary, content } = await invoiceOrRefuse(context, idOrNumber)
  return new PlainReply({
    status: 200,
    contentType: 'text/html; charset=utf-8',
    body: renderInvoiceHtml(content, { state: summary.state }),
  })
}

async function readCredits(context: OrganizationContext): Promise<CreditsReply> {
  const { db, organizationId, clock } = context
  const currency = (await readFamily(db, organizationId))[0]?.currency
  if (currency === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  const { blocks, entries, burnDown } = await readCreditsView(db, { organizationId, currency, now: clock() })
  const { balance, notInvoiced, left, dailyAverage, emptyOn } = burnDown
  return {
    currency,
    data: blocks.map(blockJson),
    entries: entries.map(entryJson),
    burnDown: {
      balance: formatNano(balance),
      notInvoiced: formatNano(notInvoiced),
      left: formatNano(left),
      dailyAverage: formatNano(dailyAverage),
      ...(emptyOn !== undefined && { emptyOn }),
    },
  }
}

function blockJson(block: CreditBlock): CreditsReply['data'][number] {
  return {
    id: block.id,
    kind: block.kind,
    state: block.state,
    amount: formatNano(block.amount),
    balance: formatNano(block.balance),
    remaining: formatNano(block.remaining),
    ...(block.perUnitCostBasis !== undefined && { perUnitCostBasis: block.perUnitCostBasis }),
    priority: block.priority,
    effectiveFrom: formatInstant(block.effectiveFrom),
    ...(block.expiresAt !== undefined && { expiresAt: formatInstant(block.expiresAt) }),
    note: block.note,
  }
}

function entryJson(entry: CreditEntry): CreditsReply['entries'][number] {
  return {
    block: entry.blockId,
    kind: entry.kind,
    amount: formatNano(entry.amount),
    balanceAfter: formatNano(entry.balanceAfter),
    at: formatInstant(entry.at),
    ...(entry.invoiceNumber !== undefined && { invoice: entry.invoiceNumber }),
    reason: entry.reason,
  }
}

async function readBudgets({ db, organizationId, clock }: OrganizationContext): Promise<BudgetsReply> {
  return { data: (await readBudgetsOf(db, organizationId, clock())).map(budgetJson) }
}

function budgetJson(budget: BudgetState): BudgetJson {
  const { id, scope, subject, unit, period, name, from, until, thresholds, webhookUrl, windowStart, windowEnd } = budget
  // Tokens are whole; money is in 10^-18, as rates are.
  const text = (amount: bigint): string => (unit === 'tokens' ? String(amount) : formatRate(amount))
  return {
    id,
    scope,
    subject,
    unit,
    period,
    ...(name !== undefined && { name }),
    limit: text(budget.limit),
    from: formatInstant(from),
    ...(until !== undefined && { until: formatInstant(until) }),
    thresholds,
    ...(webhookUrl !== undefined && { webhookHost: new URL(webhookUrl).host }),
    isOwn: budget.createdBy.startsWith('user:'),
    ...(budget.webhookSecretSince !== undefined && { webhookSecretSince: formatInstant(budget.webhookSecretSince) }),
    windowStart: formatInstant(windowStart),
    ...(Number.isFinite(windowEnd) && { windowEnd: formatInstant(windowEnd) }),
    standings: budget.standings.map((each) => ({
      subject: each.subject,
      spent: text(each.spent),
      reserved: text(each.reserved),
      left: text(each.left),
    })),
  }
}
