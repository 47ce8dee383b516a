import type { StatementLine, StatementLineKind } from '@ascribe/contract'
import { assert } from '@ascribe/kit'
import { formatInstant, formatNano, parseNano, roundToMinor } from '@ascribe/units'
import type { Currency, Instant, Nano, Period } from '@ascribe/units'
import { canonicalJson, sha256Of } from './canonical-json.ts'
import type { JsonValue } from './canonical-json.ts'
import type { PlannedDraw } from './draw-credits.ts'
import type { BillingParty } from './parties.ts'
import { taxOn } from './taxes.ts'
import type { TaxRule } from './taxes.ts'

/** A line of an invoice: of the statement, with its number. Amounts, rates and quantities are decimals. */
export type InvoiceLine = {
  /** From 1. */
  readonly line: number
  readonly kind: StatementLineKind
  readonly model: string
  readonly auth_id: string
  readonly meter: string
  readonly quantity: string
  readonly rate: string
  readonly amount: string
  readonly description?: string
  /** The closed month that an adjustment corrects. */
  readonly corrects?: string
}

/** What a block of credits pays; `amount` is negative, and above zero where what it paid for was corrected and comes back to it. */
export type InvoiceCredit = {
  readonly credit_block_id: string
  readonly kind: string
  readonly note: string
  readonly amount: string
  readonly expires_at?: string
}

/** A tax: `base` × `rate_percent`, rounded to the minor unit. */
export type InvoiceTax = {
  readonly name: string
  readonly rate_percent: string
  readonly base: string
  readonly amount: string
  readonly note?: string
}

export type InvoiceParty = {
  readonly name: string
  readonly address: readonly string[]
  readonly country?: string
  readonly tax_id?: string
  readonly email?: string
}

/**
 * Everything that an invoice says: frozen when it is issued. `subtotal` (of the lines) + `credits_total` (negative, but where it gives back) = `net`;
 * `net` + `tax_total` + `rounding` = `total`, exactly; only taxes and `total` are rounded, each once, to the minor unit.
 */
export type InvoiceContent = {
  readonly version: 1
  /** Absent on a draft, as are the two instants. */
  readonly number?: string
  readonly issued_at?: string
  readonly due_at?: string
  /** `2026-11`. */
  readonly month: string
  /** Half-open. */
  readonly period: { readonly start: string; readonly end: string }
  readonly organization_id: string
  readonly customer: InvoiceParty
  readonly seller: InvoiceParty
  readonly currency: Currency
  /** A draft of a month that is still open; its lines may change. */
  readonly provisional?: true
  readonly lines: readonly InvoiceLine[]
  readonly subtotal: string
  readonly credits: readonly InvoiceCredit[]
  readonly credits_total: string
  readonly net: string
  readonly taxes: readonly InvoiceTax[]
  readonly tax_total: string
  readonly rounding: string
  readonly total: string
}

export type InvoiceSums = {
  readonly subtotal: Nano
  readonly credits: Nano
  readonly tax: Nano
  readonly rounding: Nano
  readonly total: Nano
}

export type ContentInput = {
  readonly organization: { readonly id: string; readonly name: string }
  readonly month: string
  readonly period: Period
  readonly currency: Currency
  readonly provisional: boolean
  readonly lines: readonly StatementLine[]
  readonly draws: readonly PlannedDraw[]
  readonly taxes: readonly TaxRule[]
  readonly seller: BillingParty | undefined
  readonly customer: BillingParty | undefined
  /** Absent: a draft. */
  readonly issue?: { readonly number: string; readonly issuedAt: Instant; readonly dueAt: Instant }
}

/** Kinds that credits pay: what was used, at whatever price. What is missing to a minimum or a commitment is paid in money. */
const USAGE_KINDS: ReadonlySet<StatementLineKind> = new Set(['usage', 'tier', 'package', 'included'])

/** The sum of the lines that credits may pay, corrections of usage included. */
export function payableByCredits(lines: readonly StatementLine[]): Nano {
  // A correction of a minimum or a commitment names no meter.
  const isUsage = ({ kind, meter }: StatementLine): boolean => USAGE_KINDS.has(kind) || (kind === 'adjustment' && meter !== '')
  return lines.filter(isUsage).reduce((sum, { amount }) => sum + exactNano(amount), 0n)
}

/** Makes what an invoice says, and its sums in nano-units. */
export function buildInvoice(input: ContentInput): { readonly content: InvoiceContent; readonly sums: InvoiceSums } {
  const { organization, month, period, currency, lines, draws, issue } = input
  const subtotal = lines.reduce((sum, { amount }) => sum + exactNano(amount), 0n)
  const credits = draws.reduce((sum, { amount }) => sum - amount, 0n)
  const net = subtotal + credits
  const taxes = input.taxes.map((rule) => ({ rule, amount: taxOn(net, rule.ratePercent, currency) }))
  const tax = taxes.reduce((sum, { amount }) => sum + amount, 0n)
  const total = roundToMinor(net + tax, currency)
  const rounding = total - net - tax
  const content: InvoiceContent = {
    version: 1,
    ...(issue !== undefined && {
      number: issue.number,
      issued_at: formatInstant(issue.issuedAt),
      due_at: formatInstant(issue.dueAt),
    }),
    month,
    period: { start: formatInstant(period.start), end: formatInstant(period.end) },
    organization_id: organization.id,
    customer: partyOf(input.customer, organization.name),
    seller: partyOf(input.seller, ''),
    currency,
    ...(input.provisional && { provisional: true }),
    lines: lines.map(lineOf),
    subtotal: formatNano(subtotal),
    credits: draws.map(creditOf),
    credits_total: formatNano(credits),
    net: formatNano(net),
    taxes: taxes.map(({ rule, amount }) => ({
      name: rule.name,
      rate_percent: rule.ratePercent,
      base: formatNano(net),
      amount: formatNano(amount),
      ...(rule.note !== '' && { note: rule.note }),
    })),
    tax_total: formatNano(tax),
    rounding: formatNano(rounding),
    total: formatNano(total),
  }
  return { content, sums: { subtotal, credits, tax, rounding, total } }
}

/** The document as it is stored: one text, and its hash. */
export function frozen(content: JsonValue): { readonly text: string; readonly sha256: string } {
  const text = canonicalJson(content)
  return { text, sha256: sha256Of(text) }
}

function lineOf(line: StatementLine, index: number): InvoiceLine {
  const { kind, model, auth_id, meter, quantity, rate, amount, description, corrects } = line
  return {
    line: index + 1,
    kind,
    model,
    auth_id,
    meter,
    quantity: String(quantity),
    rate,
    amount,
    ...(description !== undefined && { description }),
    ...(corrects !== undefined && { corrects }),
  }
}

function creditOf({ blockId, kind, note, amount, expiresAt }: PlannedDraw): InvoiceCredit {
  return {
    credit_block_id: blockId,
    kind,
    note,
    amount: formatNano(0n - amount),
    ...(expiresAt !== undefined && { expires_at: formatInstant(expiresAt) }),
  }
}

function partyOf(party: BillingParty | undefined, name: string): InvoiceParty {
  if (party === undefined) return { name, address: [] }
  const { legalName, address, country, taxId, email } = party
  return {
    name: legalName,
    address: address.split('\n').filter((line) => line.trim() !== ''),
    ...(country !== '' && { country }),
    ...(taxId !== '' && { tax_id: taxId }),
    ...(email !== '' && { email }),
  }
}

/** A decimal that we wrote ourselves. */
export function exactNano(text: string): Nano {
  const amount = parseNano(text)
  assert(typeof amount === 'bigint', `${text} is no amount`)
  return amount
}
