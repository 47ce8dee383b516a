import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { readStatement } from '@ascribe/ledger'
import type { Statement, StatementMemo } from '@ascribe/contract'
import { readableLine } from '@ascribe/units'
import { monthArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { openSettledLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe statement`. */
export function configureStatement(root: Command, surroundings: Surroundings): void {
  root
    .requiredOption('--org <id>', 'the organization, by id or name')
    .requiredOption('--month <month>', 'YYYY-MM, UTC', monthArgument)
    .addHelpText('after', '\nThe records behind a line:  ascribe events list --org ID --from … --to … --model M --auth-id A')
    .action(async (options: { org: string; month: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openSettledLedger(context, 'statement')
      const organization = await organizationNamed(ledger.db, options.org)
      const found = await readStatement(ledger.db, { organizationId: organization.id, month: options.month, scope: 'operator' })
      if (found === undefined) throw new InputError(`Cannot find the organization "${options.org}"`)
      if (context.out.json) context.out.value(found)
      else printStatement(context.out, found, organization.name)
    })
}

function printStatement(out: Output, statementOf: Statement, name: string): void {
  const { month, currency, provisional, total, lines, held, memo } = statementOf
  out.line(`${out.style.bold(name)}, ${month}, ${currency}${provisional ? ', provisional: the month is open' : ''}`)
  out.line('')
  out.table(
    [
      { title: 'model' },
      { title: 'key' },
      { title: 'meter' },
      { title: 'quantity', align: 'right' },
      { title: 'rate', align: 'right' },
      { title: 'amount', align: 'right' },
      { title: '' },
    ],
    lines.map((line) => {
      const { quantity, rate } = readableLine(line)
      const words = line.kind === 'usage' && line.description === undefined ? '' : `${line.kind}: ${line.description ?? ''}`
      return [line.model, line.auth_id, line.meter, quantity, rate, line.amount, words]
    }),
  )
  out.line('')
  out.line(`${out.style.bold('total')}  ${total} ${currency}`)
  if (memo !== undefined) printMemo(out, memo, currency)
  if (held.unpriced > 0)
    out.line(
      `${out.style.warn('held')}   ${records(held.unpriced)} without a price: \`ascribe prices apply --supplement\` a book that has one`,
    )
  if (held.unattributed > 0)
    out.line(
      `${out.style.warn('held')}   ${records(held.unattributed)} of this installation that nobody owns: \`ascribe keys map\` says whose they are`,
    )
  if (held.unknown > 0) out.line(`${out.style.warn('held')}   ${records(held.unknown)} whose quantities nobody knows`)
}

function printMemo(out: Output, { total, lines }: StatementMemo, currency: string): void {
  out.line('')
  out.line('billed by the cloud to the owners of the accounts, at list prices; in no total above')
  out.table(
    [
      { title: 'model' },
      { title: 'key' },
      { title: 'meter' },
      { title: 'quantity', align: 'right' },
      { title: 'rate', align: 'right' },
      { title: 'list value', align: 'right' },
    ],
    lines.map((line) => [line.model, line.auth_id, line.meter, line.quantity, line.rate, line.amount]),
  )
  out.line(`${out.style.bold('memo')}   ${total} ${currency}`)
}

function records(count: number): string {
  return count === 1 ? '1 record' : `${count} records`
}
