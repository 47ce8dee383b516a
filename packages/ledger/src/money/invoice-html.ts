import { formatMoney, readableLine } from '@ascribe/units'
import type { CreditNoteContent } from './credit-notes.ts'
import { escapeHtml } from './escape-html.ts'
import { DOCUMENT_CSS } from './invoice-css.ts'
import { exactNano } from './invoice-content.ts'
import type { InvoiceContent, InvoiceLine, InvoiceParty } from './invoice-content.ts'

export type HtmlOptions = {
  /** `a4` by default; `letter` for North America. */
  readonly paper?: 'a4' | 'letter'
  /** Printed as a mark where it is `paid` or `void`. */
  readonly state?: 'draft' | 'issued' | 'paid' | 'void'
}

type Cell = { readonly text: string; readonly number?: boolean }

/**
 * An invoice as one HTML page that prints well and needs nothing else: no script, no font, no image, no address is fetched. Whatever
 * comes from outside is escaped. Headings, table captions and header cells are there for those who listen to it.
 */
export function renderInvoiceHtml(content: InvoiceContent, options: HtmlOptions = {}): string {
  const { currency } = content
  const money = (text: string): string => formatMoney(exactNano(text), currency)
  const title = content.number === undefined ? `Draft invoice ${content.month}` : `Invoice ${content.number}`
  const facts: (readonly [string, string])[] = [
    ['Number', content.number ?? 'not issued'],
    ...(content.issued_at === undefined ? [] : [['Issued', day(content.issued_at)] as const]),
    ...(content.due_at === undefined ? [] : [['Due', day(content.due_at)] as const]),
    ['Period', `${day(content.period.start)} to ${lastDay(content.period.end)} (UTC)`],
    ['Currency', currency],
  ]
  const body = [
    heading(title, options.state === 'void' ? 'VOID' : content.number === undefined ? 'DRAFT' : options.state === 'paid' ? 'PAID' : ''),
    parties(content),
    factList(facts),
    linesTable(content.lines, money),
    totals([
      ['Subtotal', money(content.subtotal)],
      ...content.credits.map(
        ({ kind, note, amount }) =>
          [`${amount.startsWith('-') ? 'Credit' : 'Back to credit'}, ${kind}${note === '' ? '' : `: ${note}`}`, money(amount)] as const,
      ),
      ...(content.credits.length === 0 ? [] : [['Net', money(content.net)] as const]),
      ...content.taxes.map(({ name, rate_percent, amount }) => [`${name}, ${rate_percent} %`, money(amount)] as const),
      ...(content.rounding === '0' ? [] : [['Rounding', money(content.rounding)] as const]),
      [`Total ${currency}`, money(content.total)],
    ]),
    notes([
      ...content.taxes.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`])),
      ...(content.provisional === true ? ['The month is not closed: this draft may change.'] : []),
    ]),
  ]
  return page(title, body.join('\n'), options.paper ?? 'a4')
}

/** A credit note, in the same way. */
export function renderCreditNoteHtml(note: CreditNoteContent, options: HtmlOptions = {}): string {
  const money = (text: string): string => formatMoney(exactNano(text), note.currency)
  const title = `Credit note ${note.number}`
  const rows = note.lines.map(({ line, what, amount }) => [
    { text: line === 0 ? '–' : String(line) },
    { text: what === '' ? note.reason : what },
    { text: money(amount), number: true },
  ])
  const body = [
    heading(title, ''),
    parties(note),
    factList([
      ['Number', note.number],
      ['Issued', day(note.issued_at)],
      ['Invoice', note.invoice],
      ['Reason', note.reason],
      ['Currency', note.currency],
    ]),
    table('What is credited', ['Line', 'What', 'Amount'], rows),
    totals([
      ['Net', money(note.net)],
      ...note.taxes.map(({ name, rate_percent, amount }) => [`${name}, ${rate_percent} %`, money(amount)] as const),
      ...(note.rounding === '0' ? [] : [['Rounding', money(note.rounding)] as const]),
      [`Total credited ${note.currency}`, money(note.total)],
    ]),
  ]
  return page(title, body.join('\n'), options.paper ?? 'a4')
}

function linesTable(lines: readonly InvoiceLine[], money: (text: string) => string): string {
  const rows = lines.map((line): readonly Cell[] => {
    const { quantity, rate } = readableLine(line)
    return [
      { text: String(line.line) },
      { text: describe(line) },
      { text: line.auth_id },
      { text: quantity, number: true },
      { text: rate, number: true },
      { text: money(line.amount), number: true },
    ]
  })
  return table('What was used', ['Line', 'What', 'Key', 'Quantity', 'Rate', 'Amount'], rows)
}

function describe({ kind, model, meter, description, corrects }: InvoiceLine): string {
  const what = [model, meter].filter((part) => part !== '').join(', ')
  const correction = description === undefined && corrects !== undefined ? `corrects ${corrects}` : ''
  const words = [kind === 'usage' ? '' : kind, what, description ?? '', correction]
  return words.filter((part) => part !== '').join(' · ')
}

function heading(title: string, mark: string): string {
  return `<header><h1>${escapeHtml(title)}</h1>${mark === '' ? '' : `<p class="mark">${mark}</p>`}</header>`
}

function parties({ seller, customer }: { readonly seller: InvoiceParty; readonly customer: InvoiceParty }): string {
  return `<div class="parties">${party('From', seller)}${party('To', customer)}</div>`
}

function party(label: string, { name, address, country, tax_id: taxId, email }: InvoiceParty): string {
  const lines = [name, ...address, country ?? '', taxId === undefined ? '' : `Tax id ${taxId}`, email ?? ''].filter((line) => line !== '')
  if (lines.length === 0) return ''
  return `<section><h2>${label}</h2><address>${lines.map(escapeHtml).join('<br>')}</address></section>`
}

function factList(facts: readonly (readonly [string, string])[]): string {
  return `<dl>${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`
}

function table(caption: string, titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const isNumber = (index: number): boolean => rows.some((row) => row[index]?.number === true)
  const head = titles.map((title, index) => `<th scope="col"${isNumber(index) ? ' class="number"' : ''}>${title}</th>`).join('')
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')
  return `<table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table>`
}

function cell({ text, number }: Cell, index: number): string {
  if (index === 0) return `<th scope="row">${escapeHtml(text)}</th>`
  return `<td${number === true ? ' class="number"' : ''}>${escapeHtml(text)}</td>`
}

function totals(rows: readonly (readonly [string, string])[]): string {
  const body = rows.map(
    ([label, amount]) => `<tr><th scope="row">${escapeHtml(label)}</th><td class="number">${escapeHtml(amount)}</td></tr>`,
  )
  return `<table class="totals"><caption>What it comes to</caption><tbody>\n${body.join('\n')}\n</tbody></table>`
}

function notes(lines: readonly string[]): string {
  return lines.length === 0
    ? ''
    : `<section class="notes"><h2>Notes</h2>${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('')}</section>`
}

/** The date of an RFC 3339 instant. */
function day(instant: string): string {
  return instant.slice(0, 10)
}

/** The last day before an exclusive end at midnight. */
function lastDay(end: string): string {
  return new Date(Date.parse(end) - 1).toISOString().slice(0, 10)
}

function page(title: string, body: string, paper: 'a4' | 'letter'): string {
  // A page that is opened from disk or from our API fetches nothing and runs nothing, whatever a name in it tries.
  const policy = "default-src 'none'; style-src 'unsafe-inline'"
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>@page { size: ${paper === 'a4' ? 'A4' : 'letter'}; margin: 18mm 16mm; }
${DOCUMENT_CSS}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}
