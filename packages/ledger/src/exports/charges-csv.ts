import { formatDecimal, formatInstant, formatNano, meterScale } from '@ascribe/units'
import { csvLine } from './csv.ts'
import type { Cell, CsvOptions } from './csv.ts'
import type { ExportRow } from './export-row.ts'
import { rememberLast } from './remember-last.ts'

type Column = { readonly name: string; readonly of: (row: ExportRow) => Cell }

const RATE_PLACES = 18
/** Meters that count in millionths are written in the unit that their name says: hours. A package is priced by the block. */
const scaleOf = ({ kind, model, meter, authId }: ExportRow): number => (kind === 'package' ? 0 : meterScale({ model, meter, authId }))
const number = (text: string): Cell => ({ number: text })
const instant = rememberLast(formatInstant)
const endInstant = rememberLast(formatInstant)
const rateText = rememberLast((rate: bigint) => formatDecimal(rate, RATE_PLACES))
const optional = (text: string | null): Cell => (text === null || text === '' ? null : text)

/** The columns of `--format csv`, in order. Names are kept; new ones come at the end. */
const COLUMNS: readonly Column[] = [
  { name: 'kind', of: ({ kind }) => kind },
  { name: 'organization_id', of: ({ organizationId }) => organizationId },
  { name: 'organization', of: ({ organizationName }) => organizationName },
  { name: 'month', of: ({ month }) => month },
  { name: 'start', of: ({ start }) => instant(start) },
  { name: 'end', of: ({ end }) => endInstant(end) },
  { name: 'auth_id', of: ({ authId }) => optional(authId) },
  { name: 'user_id', of: ({ userId }) => optional(userId) },
  { name: 'group_id', of: ({ groupId }) => optional(groupId) },
  { name: 'resource_id', of: ({ resourceId }) => optional(resourceId) },
  { name: 'model', of: ({ model }) => optional(model) },
  { name: 'base_model', of: ({ baseModel }) => optional(baseModel) },
  { name: 'meter', of: ({ meter }) => optional(meter) },
  { name: 'quantity', of: (row) => (row.quantity === null ? null : number(formatDecimal(row.quantity, scaleOf(row)))) },
  {
    name: 'rate',
    of: (row) =>
      row.rate === null ? null : number(scaleOf(row) === 0 ? rateText(row.rate) : formatDecimal(row.rate, RATE_PLACES - scaleOf(row))),
  },
  { name: 'amount', of: ({ amount }) => number(formatNano(amount)) },
  { name: 'currency', of: ({ currency }) => currency },
  { name: 'records', of: ({ recordCount }) => (recordCount === null ? null : number(recordCount.toString())) },
  { name: 'price_version', of: ({ priceSequence }) => (priceSequence === null ? null : number(String(priceSequence))) },
  { name: 'corrects', of: ({ corrects }) => optional(corrects) },
  { name: 'description', of: ({ description }) => optional(description) },
  { name: 'invoice', of: ({ invoice }) => optional(invoice) },
]

/** The header of the CSV. */
export const CHARGES_HEADER: string = csvLine(COLUMNS.map(({ name }) => name))

/** A row of the CSV. */
export function chargesLine(row: ExportRow, options: CsvOptions = {}): string {
  return csvLine(
    COLUMNS.map(({ of }) => of(row)),
    options,
  )
}
