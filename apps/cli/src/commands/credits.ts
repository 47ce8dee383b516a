import type { Command } from 'commander'
import { Option } from 'commander'
import { InputError } from '@ascribe/kit'
import { CREDIT_KINDS, expireCredits, grantCredit, listCreditEntries, listCredits, voidCredit } from '@ascribe/ledger/money'
import type { CreditBlock, CreditEntry, CreditKind } from '@ascribe/ledger/money'
import { formatInstant, formatNano } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { organizationNamed } from '../find-organization.ts'
import { actorOf, amountArgument, withActor } from '../money-arguments.ts'
import { openLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe credits grant|list|entries|void|expire`. */
export function configureCredits(root: Command, surroundings: Surroundings, finish: Finish): void {
  addGrant(root, surroundings, finish)
  addList(root, surroundings)
  addEntries(root, surroundings)
  addVoid(root, surroundings, finish)
  addExpire(root, surroundings)
}

type GrantOptions = {
  readonly org: string
  readonly amount: bigint
  readonly kind: CreditKind
  readonly paid: bigint
  readonly from?: number
  readonly expires?: number
  readonly priority: string
  readonly note: string
  readonly id?: string
  readonly actor?: string
}

function addGrant(credits: Command, surroundings: Surroundings, finish: Finish): void {
  withActor(credits.command('grant'))
    .description('give an organization credits, which its invoices draw')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .requiredOption('--amount <amount>', "in the organization's currency", amountArgument)
    .addOption(new Option('--kind <kind>', 'what they are').choices([...CREDIT_KINDS]).default('prepaid'))
    .addOption(new Option('--paid <amount>', 'what the customer paid for all of them').argParser(amountArgument).default(0n, '0'))
    .option('--from <instant>', 'they pay usage from here on (default: now)', instantArgument)
    .option('--expires <instant>', 'and before this (default: for ever)', instantArgument)
    .option('--priority <number>', 'of those that expire together the lowest is drawn first', '100')
    .option('--note <text>', 'for the invoice', '')
    .option('--id <uuid>', 'granting the same id again changes nothing')
    .addHelpText('after', '\nExample:  ascribe credits grant --org Acme --amount 500 --kind trial --expires 2026-12-15')
    .action(async (options: GrantOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      if (!/^-?\d{1,9}$/.test(options.priority)) throw new InputError(`Cannot grant credits: "${options.priority}" is no whole number`)
      await using ledger = await openLedger(context, { name: 'credits', logger: context.logger })
      const organization = await organizationNamed(ledger.db, options.org)
      const granted = await grantCredit(ledger.db, {
        ...(options.id !== undefined && { id: options.id }),
        organizationId: organization.id,
        amount: options.amount,
        costBasis: options.paid,
        kind: options.kind,
        priority: Number(options.priority),
        effectiveFrom: options.from ?? Date.now(),
        ...(options.expires !== undefined && { expiresAt: options.expires }),
        note: options.note,
        by: actorOf(options, surroundings),
      })
      if (granted.outcome === 'conflict') finish(EXIT.failed)
      if (context.out.json) context.out.value({ credit_block_id: granted.id, outcome: granted.outcome })
      else if (granted.outcome === 'conflict') context.out.line(`nothing was granted: another block has the id ${granted.id}`)
      else context.out.line(`${granted.id}  ${formatNano(options.amount)} ${organization.currency} to ${organization.name}`)
    })
}

function addList(credits: Command, surroundings: Surroundings): void {
  credits
    .command('list')
    .description('blocks of credits and what is left of them, in the order in which they are drawn')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option('--at <instant>', 'as of this instant (default: now)', instantArgument)
    .addHelpText('after', '\nExample:  ascribe credits list --org Acme --at 2026-11-01')
    .action(async (options: { org: string; at?: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'credits', logger: context.logger })
      const organization = await organizationNamed(ledger.db, options.org)
      const blocks = await listCredits(ledger.db, { organizationId: organization.id, at: options.at ?? Date.now() })
      if (context.out.json) context.out.value(blocks.map(blockJson))
      else printBlocks(context.out, blocks)
    })
}

function blockJson(block: CreditBlock): object {
  return {
    credit_block_id: block.id,
    kind: block.kind,
    currency: block.currency,
    amount: formatNano(block.amount),
    balance: formatNano(block.balance),
    remaining: formatNano(block.remaining),
    cost_basis: formatNano(block.costBasis),
    ...(block.perUnitCostBasis !== undefined && { per_unit_cost_basis: block.perUnitCostBasis }),
    priority: block.priority,
    state: block.state,
    effective_from: formatInstant(block.effectiveFrom),
    ...(block.expiresAt !== undefined && { expires_at: formatInstant(block.expiresAt) }),
    note: block.note,
    created_at: formatInstant(block.createdAt),
    created_by: block.createdBy,
  }
}

function printBlocks(out: Output, blocks: readonly CreditBlock[]): void {
  out.table(
    [
      { title: 'block' },
      { title: 'kind' },
      { title: 'state' },
      { title: 'from' },
      { title: 'expires' },
      { title: 'granted', align: 'right' },
      { title: 'balance', align: 'right' },
      { title: 'currency' },
    ],
    blocks.map((block) => [
      block.id,
      block.kind,
      block.state,
      formatInstant(block.effectiveFrom),
      block.expiresAt === undefined ? '–' : formatInstant(block.expiresAt),
      formatNano(block.amount),
      formatNano(block.balance),
      block.currency,
    ]),
  )
}

function addEntries(credits: Command, surroundings: Surroundings): void {
  credits
    .command('entries')
    .description('everything that happened to the credits of an organization, with the invoice of every draw')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option('--block <uuid>', 'only of this block')
    .action(async (options: { org: string; block?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'credits', logger: context.logger })
      const organization = await organizationNamed(ledger.db, options.org)
      const entries = await listCreditEntries(ledger.db, {
        organizationId: organization.id,
        ...(options.block !== undefined && { blockId: options.block }),
      })
      if (context.out.json) return context.out.value(entries.map(entryJson))
      context.out.table(
        [
          { title: 'at' },
          { title: 'block' },
          { title: 'what' },
          { title: 'amount', align: 'right' },
          { title: 'left', align: 'right' },
          { title: 'invoice' },
          { title: 'by' },
          { title: 'why' },
        ],
        entries.map(({ at, blockId, kind, amount, balanceAfter, invoiceNumber, createdBy, reason }) => [
          formatInstant(at),
          blockId,
          kind,
          formatNano(amount),
          formatNano(balanceAfter),
          invoiceNumber ?? '–',
          createdBy,
          reason,
        ]),
      )
    })
}

function entryJson(entry: CreditEntry): object {
  return {
    credit_block_id: entry.blockId,
    kind: entry.kind,
    amount: formatNano(entry.amount),
    balance_after: formatNano(entry.balanceAfter),
    at: formatInstant(entry.at),
    ...(entry.invoiceId !== undefined && { invoice_id: entry.invoiceId }),
    ...(entry.invoiceNumber !== undefined && { invoice: entry.invoiceNumber }),
    reason: entry.reason,
    created_at: formatInstant(entry.createdAt),
    created_by: entry.createdBy,
  }
}

function addVoid(credits: Command, surroundings: Surroundings, finish: Finish): void {
  withActor(credits.command('void'))
    .argument('<block>', 'its id')
    .description('take back what is left of a block; what was drawn stays drawn')
    .requiredOption('--reason <text>', 'why')
    .action(async (blockId: string, options: { reason: string; actor?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'credits', logger: context.logger })
      const by = actorOf(options, surroundings)
      const voided = await voidCredit(ledger.db, { blockId, at: Date.now(), reason: options.reason, by })
      if (voided.outcome === 'not_found') throw new InputError(`Cannot find the credit block "${blockId}"`)
      if (voided.outcome === 'already_void') finish(EXIT.failed)
      const amount = voided.outcome === 'voided' ? formatNano(voided.amount) : undefined
      if (context.out.json)
        context.out.value({ credit_block_id: blockId, outcome: voided.outcome, ...(amount !== undefined && { amount }) })
      else context.out.line(amount === undefined ? `${blockId} was void already` : `${blockId} is void: ${amount} taken back`)
    })
}

function addExpire(credits: Command, surroundings: Surroundings): void {
  withActor(credits.command('expire'))
    .description('book the end of expired blocks that no invoice can draw from any more; issuing invoices does so by itself')
    .action(async (options: { actor?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'credits', logger: context.logger })
      const expired = await expireCredits(ledger.db, { at: Date.now(), by: actorOf(options, surroundings) })
      if (context.out.json) context.out.value({ expired })
      else context.out.line(`${expired} ${expired === 1 ? 'block' : 'blocks'} ended unspent`)
    })
}
