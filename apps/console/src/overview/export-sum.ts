import type { Total } from '@ascribe/contract/reads'
import { nanoOf } from '../format/money.ts'

export type ExportFormat = 'csv' | 'focus'

/** The columns that a file's amounts and currencies are in; kept names of the two formats. */
const COLUMNS: Readonly<Record<ExportFormat, { readonly amount: string; readonly currency: string }>> = {
  csv: { amount: 'amount', currency: 'currency' },
  focus: { amount: 'BilledCost', currency: 'BillingCurrency' },
}

/** What has come of a file so far. */
export type ExportProgress = { readonly rows: number; readonly totals: ReadonlyMap<string, bigint> }

/**
 * Adds up a file while it comes: parts of text, cut anywhere, in; rows and exact totals by currency out. It reads RFC 4180: cells in quotes hold
 * commas, line ends and doubled quotes.
 */
export function createExportSum(format: ExportFormat): { add: (part: string) => ExportProgress; end: () => ExportProgress } {
  let header: readonly string[] | undefined
  let rows = 0
  const totals = new Map<string, bigint>()
  let cells: string[] = []
  let cell = ''
  let quoted = false
  /** A quote inside quotes: it ends them, or doubles itself with the next. */
  let pending = false

  function endOfLine(): void {
    cells.push(cell)
    cell = ''
    const line = cells
    cells = []
    if (line.length === 1 && line[0] === '') return
    if (header === undefined) {
      header = line
      return
    }
    rows += 1
    const { amount, currency } = COLUMNS[format]
    const value = line[header.indexOf(amount)]
    const code = line[header.indexOf(currency)]
    if (value === undefined || code === undefined) throw new RangeError(`Cannot add up the export: row ${rows} has no ${amount}`)
    totals.set(code, (totals.get(code) ?? 0n) + nanoOf(value))
  }

  function take(character: string): void {
    if (pending) {
      pending = false
      if (character === '"') {
        cell += '"'
        return
      }
      quoted = false
    }
    if (quoted) {
      if (character === '"') pending = true
      else cell += character
    } else if (character === '"' && cell === '') quoted = true
    else if (character === ',') {
      cells.push(cell)
      cell = ''
    } else if (character === '\n') endOfLine()
    else if (character !== '\r') cell += character
  }

  const progress = (): ExportProgress => ({ rows, totals: new Map(totals) })
  return {
    add(part) {
      for (const character of part) take(character)
      return progress()
    },
    end() {
      if (cell !== '' || cells.length > 0) endOfLine()
      return progress()
    },
  }
}

/** Whether a file adds up to a report exactly: in every currency of either. */
export function agreesWith({ totals: sums }: Pick<ExportProgress, 'totals'>, totals: readonly Total[]): boolean {
  const said = new Map(totals.map(({ currency, amount }) => [currency, nanoOf(amount)]))
  return [...new Set([...sums.keys(), ...said.keys()])].every((currency) => (sums.get(currency) ?? 0n) === (said.get(currency) ?? 0n))
}
