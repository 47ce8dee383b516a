import type { StatementLineKind } from '@ascribe/contract'
import type { Currency, Instant, Nano } from '@ascribe/units'

/** What an export has rows for: lines of statements in detail, and, of invoices and credit notes, what only they have. */
export type ExportKind = StatementLineKind | 'credit' | 'tax' | 'rounding' | 'credit_note'

/** One row of an export, whatever its format. Amounts in nano-units; their sum is that of the statement or the invoice. */
export type ExportRow = {
  readonly kind: ExportKind
  readonly organizationId: string
  readonly organizationName: string
  readonly currency: Currency
  /** The month on whose statement it is, `2026-11`. */
  readonly month: string
  /** When it was used: an hour, or the month. */
  readonly start: Instant
  readonly end: Instant
  /** Empty where the row is of the whole organization. */
  readonly authId: string
  readonly userId: string | null
  readonly groupId: string | null
  readonly resourceId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  /** Which version of the prices. */
  readonly priceSequence: number | null
  /** In 10^-18; null where nothing is priced by quantity. */
  readonly rate: bigint | null
  readonly quantity: bigint | null
  readonly amount: Nano
  /** Of usage records; null where it is not known for the row. */
  readonly recordCount: bigint | null
  /** The closed month that an adjustment corrects, or whose invoice a credit note does. */
  readonly corrects: string | null
  readonly description: string
  /** Number of the invoice that bills it, or of the credit note that takes it back; null while there is none. */
  readonly invoice: string | null
}

/** What a row of an invoice or a credit note says of usage: nothing, it is of neither a key nor a meter. */
export const NOT_OF_USAGE: Pick<
  ExportRow,
  'authId' | 'userId' | 'groupId' | 'resourceId' | 'model' | 'baseModel' | 'meter' | 'priceSequence' | 'rate' | 'quantity' | 'recordCount'
> = {
  authId: '',
  userId: null,
  groupId: null,
  resourceId: '',
  model: '',
  baseModel: null,
  meter: '',
  priceSequence: null,
  rate: null,
  quantity: null,
  recordCount: null,
}
