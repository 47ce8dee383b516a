import type { Command } from 'commander'
import { Option } from 'commander'
import { InputError, errorChain } from '@ascribe/kit'
import {
  DUE_DAYS,
  INVOICE_PREFIX,
  INVOICE_STATES,
  draftInvoice,
  invoiceMonth,
  issueInvoice,
  listInvoices,
  payInvoice,
  voidInvoice,
} from '@ascribe/ledger/money'
import type { InvoiceState, InvoiceSummary, MonthProgress } from '@ascribe/ledger/money'
import { formatInstant, formatMoney } from '@ascribe/units'
import { countArgument, monthArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { organizationNamed } from '../find-organization.ts'
import { summaryJson } from '../invoice-json.ts'
import { untilInterrupted } from '../interrupt.ts'
import { actorOf, invoiceNamed, withActor } from '../money-arguments.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { addCreditNote, addHtml, addRecords, addShow } from './invoice-documents.ts'
import { addParty, addTax } from './invoice-setup.ts'

/** `ascribe invoices draft|issue|list|show|html|records|pay|void|credit-note|party|tax`. */
export function configureInvoices(root: Command, surroundings: Surroundings, finish: Finish): void {
  addBilling(root, surroundings, finish)
  addList(root, surroundings)
  addShow(root, surroundings)
  addHtml(root, surroundings)
  addRecords(root, surroundings, finish)
  addSettling(root, surroundings, finish)
  addCreditNote(root, surroundings)
  addParty(root, surroundings)
  addTax(root, surroundings)
}

type BillOptions = {
  readonly month: string
  readonly org?: string
  readonly all?: true
  readonly prefix?: string
  readonly dueDays?: number
  readonly actor?: string
}

function addBilling(invoices: Command, surroundings: Surroundings, finish: Finish): void {
  const draft = withActor(invoices.command('draft'))
    .description('make or renew drafts of a month, which may still be open; draws nothing and takes no number')
    .addHelpText('after', '\nExample:  ascribe invoices draft --month 2026-11 --all')
  const issue = withActor(invoices.command('issue'))
    .description('issue the invoices of a closed month: draws credits, takes numbers, freezes what they say; safe to repeat')
    .option('--prefix <text>', 'of the numbers', INVOICE_PREFIX)
    .option('--due-days <days>', 'until payment is due', countArgument, DUE_DAYS)
    .addHelpText('after', '\nExample:  ascribe periods close --month 2026-11 && ascribe invoices issue --month 2026-11 --all')
  for (const [command, action] of [
    [draft, 'draft'],
    [issue, 'issue'],
  ] as const) {
    command
      .requiredOption('--month <month>', 'YYYY-MM, UTC', monthArgument)
      .option('--org <id>', 'one organization, by id or name')
      .option('--all', 'every organization; one that was cut short goes on where it stopped')
      .action((options: BillOptions, self: Command) => bill(contextOf(self, surroundings), { action, options, surroundings, finish }))
  }
}

type Bill = {
  readonly action: 'draft' | 'issue'
  readonly options: BillOptions
  readonly surroundings: Surroundings
  readonly finish: Finish
}

async function bill(context: Context, { action, options, surroundings, finish }: Bill): Promise<void> {
  const { month, org, all } = options
  if ((org === undefined) === (all !== true)) throw new InputError('Cannot tell whom to bill: give --org ORG, or --all')
  await using ledger = await openSettledLedger(context, 'invoices')
  const { prefix, dueDays } = options
  const request = {
    month,
    at: Date.now(),
    by: actorOf(options, surroundings),
    ...(prefix !== undefined && { prefix }),
    ...(dueDays !== undefined && { dueDays }),
  }
  const results: MonthProgress[] = []
  if (org !== undefined) {
    const { id, name } = await organizationNamed(ledger.db, org)
    const perform = action === 'draft' ? draftInvoice : issueInvoice
    results.push({ organizationId: id, name, ...(await perform(ledger.db, { ...request, organizationId: id })) })
  } else {
    using interrupt = untilInterrupted()
    for await (const progress of invoiceMonth(ledger.db, { ...request, action, signal: interrupt.signal })) results.push(progress)
  }
  for (const result of results) {
    if (result.outcome !== 'failed') continue
    finish(EXIT.failed)
    context.out.note(`${result.name} is not billed: ${errorChain(result.error)}`)
  }
  if (results.some(({ outcome }) => outcome === 'open')) {
    finish(EXIT.failed)
    context.out.note(`${month} is not closed: \`ascribe periods close --month ${month}\` closes it`)
  }
  printResults(context.out, results)
}

function printResults(out: Output, results: readonly MonthProgress[]): void {
  if (out.json) {
    return out.value(
      results.map((result) => ({
        organization_id: result.organizationId,
        name: result.name,
        outcome: result.outcome,
        ...('id' in result && { invoice_id: result.id, total: formatMoney(result.total, result.currency), currency: result.currency }),
        ...('number' in result && { number: result.number }),
        ...(result.outcome === 'failed' && { error: errorChain(result.error) }),
      })),
    )
  }
  out.table(
    [{ title: 'organization' }, { title: 'outcome' }, { title: 'number' }, { title: 'total', align: 'right' }, { title: 'currency' }],
    results.map((result) => [
      result.name,
      result.outcome,
      'number' in result ? result.number : '–',
      'total' in result ? formatMoney(result.total, result.currency) : '–',
      'currency' in result ? result.currency : '',
    ]),
  )
}

type ListOptions = { readonly org?: string; readonly month?: string; readonly state?: readonly InvoiceState[]; readonly limit: number }

function addList(invoices: Command, surroundings: Surroundings): void {
  invoices
    .command('list')
    .description('invoices, newest first')
    .option('--org <id>', 'only of this organization, by id or name')
    .option('--month <month>', 'only of this month, YYYY-MM', monthArgument)
    .addOption(new Option('--state <state...>', 'only in these states').choices([...INVOICE_STATES]))
    .option('--limit <count>', 'no more than this', countArgument, 100)
    .action(async (options: ListOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { org, month, state, limit } = options
      const found = await listInvoices(ledger.db, {
        ...(org !== undefined && { organizationId: (await organizationNamed(ledger.db, org)).id }),
        ...(month !== undefined && { month }),
        ...(state !== undefined && { states: state }),
        limit,
      })
      if (context.out.json) context.out.value(found.map(summaryJson))
      else printList(context.out, found)
    })
}

function printList(out: Output, found: readonly InvoiceSummary[]): void {
  out.table(
    [
      { title: 'number' },
      { title: 'organization' },
      { title: 'month' },
      { title: 'state' },
      { title: 'issued' },
      { title: 'due' },
      { title: 'total', align: 'right' },
      { title: 'to pay', align: 'right' },
      { title: 'currency' },
    ],
    found.map((invoice) => [
      invoice.number ?? invoice.id,
      invoice.organizationName,
      invoice.month,
      invoice.state,
      invoice.issuedAt === undefined ? '–' : formatInstant(invoice.issuedAt).slice(0, 10),
      invoice.dueAt === undefined ? '–' : formatInstant(invoice.dueAt).slice(0, 10),
      formatMoney(invoice.total, invoice.currency),
      formatMoney(invoice.amountDue, invoice.currency),
      invoice.currency,
    ]),
  )
}

const REFUSALS: Readonly<Record<string, string>> = {
  draft: 'it is a draft',
  paid: 'it is paid',
  void: 'it is void',
  issued: 'it is issued',
  credited: 'it has credit notes',
}

function addSettling(invoices: Command, surroundings: Surroundings, finish: Finish): void {
  withActor(invoices.command('pay'))
    .argument('<invoice>', 'its number')
    .description('mark an issued invoice as paid, whole')
    .option('--reference <text>', 'of the payment', '')
    .action(async (name: string, options: { reference: string; actor?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { id } = await invoiceNamed(ledger.db, name)
      const { reference } = options
      const outcome = await payInvoice(ledger.db, { id, at: Date.now(), by: actorOf(options, surroundings), reference })
      sayOutcome(context.out, finish, { name, outcome, done: 'paid' })
    })
  withActor(invoices.command('void'))
    .argument('<invoice>', 'its number')
    .description('make an issued invoice void: its credits come back, its number stays taken, the month can be invoiced again')
    .requiredOption('--reason <text>', 'why')
    .action(async (name: string, options: { reason: string; actor?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const { id } = await invoiceNamed(ledger.db, name)
      const outcome = await voidInvoice(ledger.db, { id, at: Date.now(), by: actorOf(options, surroundings), reason: options.reason })
      sayOutcome(context.out, finish, { name, outcome, done: 'void' })
    })
}

function sayOutcome(
  out: Output,
  finish: Finish,
  { name, outcome, done }: { readonly name: string; readonly outcome: string; readonly done: string },
): void {
  const isDone = outcome === 'done'
  if (!isDone) finish(EXIT.failed)
  if (out.json) out.value({ invoice: name, outcome: isDone ? done : outcome, changed: isDone })
  else out.line(isDone ? `${name} is ${done}` : `${name} was left as it is: ${REFUSALS[outcome] ?? outcome}`)
}
