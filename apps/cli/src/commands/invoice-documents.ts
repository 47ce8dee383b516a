import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { InputError } from '@ascribe/kit'
import { toEventJson } from '@ascribe/ledger'
import type { LedgerRecord } from '@ascribe/ledger'
import {
  CREDIT_NOTE_PREFIX,
  createCreditNote,
  createLineReader,
  listCreditNotes,
  readCreditNote,
  readInvoiceContent,
  renderCreditNoteHtml,
  renderInvoiceHtml,
} from '@ascribe/ledger/money'
import type { CreditedLine, InvoiceContent, LineProof } from '@ascribe/ledger/money'
import type { Database } from '@ascribe/postgres'
import { formatMoney, formatNano } from '@ascribe/units'
import { countArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { noteJson, summaryJson } from '../invoice-json.ts'
import { actorOf, amountArgument, invoiceNamed, withActor } from '../money-arguments.ts'
import { openLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { writeText } from '../write-text.ts'

/** `ascribe invoices show`. */
export function addShow(invoices: Command, surroundings: Surroundings): void {
  invoices
    .command('show')
    .argument('<invoice>', 'its number; of a draft its id')
    .description('what an invoice says: lines, credits, taxes, rounding, total; and its credit notes')
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const invoice = await invoiceNamed(ledger.db, name)
      const [content, notes] = [await contentOf(ledger.db, invoice.id), await listCreditNotes(ledger.db, invoice.id)]
      if (context.out.json) return context.out.value({ ...summaryJson(invoice), content, credit_notes: notes.map(noteJson) })
      printContent(context.out, content, `${invoice.number ?? 'draft'}, ${invoice.organizationName}, ${invoice.month}, ${invoice.state}`)
      for (const note of notes)
        context.out.line(`${note.number}  credits ${formatMoney(note.total, invoice.currency)} ${invoice.currency}: ${note.reason}`)
      if (notes.length > 0) context.out.line(`to pay  ${formatMoney(invoice.amountDue, invoice.currency)} ${invoice.currency}`)
    })
}

async function contentOf(db: Database, id: string): Promise<InvoiceContent> {
  const content = await readInvoiceContent(db, id)
  if (content === undefined) throw new InputError(`Cannot find the invoice ${id}`)
  return content
}

function printContent(out: Output, content: InvoiceContent, title: string): void {
  const { currency } = content
  out.line(out.style.bold(title))
  out.line('')
  out.table(
    [
      { title: 'line', align: 'right' },
      { title: 'kind' },
      { title: 'model' },
      { title: 'key' },
      { title: 'meter' },
      { title: 'quantity', align: 'right' },
      { title: 'rate', align: 'right' },
      { title: 'amount', align: 'right' },
      { title: 'remark' },
    ],
    content.lines.map((line) => [
      String(line.line),
      line.kind,
      line.model,
      line.auth_id,
      line.meter,
      line.quantity,
      line.rate,
      line.amount,
      line.description ?? '',
    ]),
  )
  out.line('')
  const sums: readonly (readonly [string, string])[] = [
    ['subtotal', content.subtotal],
    ...content.credits.map(({ kind, note, amount }) => [note === '' ? `credit (${kind})` : `credit (${kind}: ${note})`, amount] as const),
    ...content.taxes.map(({ name, rate_percent: rate, amount }) => [`${name} ${rate} %`, amount] as const),
    ['rounding', content.rounding],
    ['total', `${content.total} ${currency}`],
  ]
  out.table(
    [{ title: '' }, { title: currency, align: 'right' }],
    sums.map((row) => [...row]),
  )
}

/** `ascribe invoices html`, of invoices and credit notes. */
export function addHtml(invoices: Command, surroundings: Surroundings): void {
  invoices
    .command('html')
    .argument('<number>', 'of an invoice or a credit note; of a draft its id')
    .description('a page that prints well and needs nothing else')
    .addOption(new Option('--paper <size>', 'what it is printed on').choices(['a4', 'letter']).default('a4'))
    .option('--output <file>', 'where to (default: stdout)')
    .addHelpText('after', '\nExample:  ascribe invoices html INV-000001 --output INV-000001.html')
    .action(async (name: string, options: { paper: 'a4' | 'letter'; output?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { paper, output } = options
      const note = await readCreditNote(ledger.db, name)
      const html = note === undefined ? await invoiceHtml(ledger.db, name, paper) : renderCreditNoteHtml(note, { paper })
      if (output === undefined) surroundings.stdout.write(html)
      else writeFileSync(output, html)
    })
}

async function invoiceHtml(db: Database, name: string, paper: 'a4' | 'letter'): Promise<string> {
  const { id, state } = await invoiceNamed(db, name)
  return renderInvoiceHtml(await contentOf(db, id), { paper, state })
}

/** `ascribe invoices records`. */
export function addRecords(invoices: Command, surroundings: Surroundings, finish: Finish): void {
  invoices
    .command('records')
    .argument('<invoice>', 'its number; of a draft its id')
    .description('the usage records behind a line, one JSON object a line; exit code 1 if they are not the ones that were charged')
    .requiredOption('--line <number>', 'as `invoices show` numbers them', countArgument)
    .addHelpText('after', '\nExample:  ascribe invoices records INV-000001 --line 3')
    .action(async (name: string, options: { line: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { id } = await invoiceNamed(ledger.db, name)
      const content = await contentOf(ledger.db, id)
      const records = (await createLineReader(ledger.db))({ content, line: options.line })
      let proof: LineProof | undefined
      await writeText(
        surroundings.stdout,
        jsonLines(records, (value) => (proof = value)),
      )
      if (proof === undefined) throw new InputError(`Cannot find line ${options.line}: the invoice has ${content.lines.length}`)
      if (proof.kind === 'corrected') finish(EXIT.failed)
      context.out.note(proofText(proof))
    })
}

/** One line a record; what they prove comes at the end. */
async function* jsonLines(
  records: AsyncGenerator<LedgerRecord, LineProof | undefined>,
  done: (proof: LineProof | undefined) => void,
): AsyncGenerator<string, void, undefined> {
  let next = await records.next()
  for (; next.done !== true; next = await records.next()) yield `${JSON.stringify(toEventJson(next.value))}\n`
  done(next.value)
}

function proofText({ kind, records, charged }: LineProof): string {
  switch (kind) {
    case 'exact':
      return `${records} ${records === 1 ? 'record: the very one that was' : 'records: the very ones that were'} charged, by number and digest`
    case 'corrected':
      return `${records} records, where ${charged ?? 0n} were charged: some have been corrected since, and adjustments say so`
    case 'context':
      return `${records} records that the line goes back to`
  }
}

type NoteOptions = {
  readonly reason: string
  readonly all?: true
  readonly line: readonly CreditedLine[]
  readonly amount?: bigint
  readonly prefix: string
  readonly actor?: string
}

/** `ascribe invoices credit-note`. */
export function addCreditNote(invoices: Command, surroundings: Surroundings): void {
  withActor(invoices.command('credit-note'))
    .argument('<invoice>', 'its number')
    .description('credit an issued invoice, in whole or in part; never more than it')
    .requiredOption('--reason <text>', 'why; it is printed')
    .option('--all', 'everything that has not been credited')
    .option('--line <n=amount>', 'so much of a line, before tax; can be repeated', creditedLine, [])
    .option('--amount <amount>', 'so much of no line in particular, before tax', amountArgument)
    .option('--prefix <text>', 'of the number', CREDIT_NOTE_PREFIX)
    .addHelpText('after', '\nExample:  ascribe invoices credit-note INV-000001 --line 2=10.50 --reason "outage of 3 November"')
    .action(async (name: string, options: NoteOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const lines = [...options.line, ...(options.amount === undefined ? [] : [{ line: 0, amount: options.amount }])]
      if ((options.all === true) === lines.length > 0)
        throw new InputError('Cannot tell what to credit: give --all, or --line and --amount')
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { id, currency } = await invoiceNamed(ledger.db, name)
      const note = await createCreditNote(ledger.db, {
        invoiceId: id,
        reason: options.reason,
        lines: options.all === true ? 'all' : lines,
        at: Date.now(),
        by: actorOf(options, surroundings),
        prefix: options.prefix,
      })
      if (context.out.json) context.out.value(noteJson(note))
      else context.out.line(`${note.number}  credits ${formatMoney(note.total, currency)} ${currency} (${formatNano(note.net)} before tax)`)
    })
}

function creditedLine(text: string, before: readonly CreditedLine[]): readonly CreditedLine[] {
  const [, line = '', amount = ''] = /^(\d{1,9})=(.+)$/.exec(text) ?? []
  if (line === '' || Number(line) === 0) throw new InvalidArgumentError('Write a line and an amount, such as 2=10.50.')
  return [...before, { line: Number(line), amount: amountArgument(amount) }]
}
