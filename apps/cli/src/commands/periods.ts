import type { Command } from 'commander'
import { AscribeError } from '@ascribe/kit'
import { closeMonth, listMonths } from '@ascribe/ledger'
import type { CloseOutcome } from '@ascribe/ledger'
import { formatInstant, monthOf } from '@ascribe/units'
import { monthArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { confirm } from '../confirm.ts'
import { laggingWriters } from '../lagging-writers.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

/** A month cannot be closed as things are. */
class PeriodRefusedError extends AscribeError {
  override readonly code = 'PERIOD_REFUSED'
}

/** `ascribe periods list|close`. */
export function configurePeriods(root: Command, surroundings: Surroundings): void {
  addList(root, surroundings)
  root
    .command('close')
    .requiredOption('--month <month>', 'YYYY-MM, UTC', monthArgument)
    .option('--force', 'although usage is held: it becomes adjustments once it can be charged')
    .option('--yes', 'do not ask, on a terminal, whether it is meant')
    .option('--author <name>', 'who closes it (default: the user of the operating system)')
    .description('close a month for all organizations, for good: what changes later becomes adjustments in the open month')
    .addHelpText(
      'after',
      `
Refuses a month that is not over, has hours that wait to be rated, journals that lag, an earlier month that is open, or held usage.

Example:  ascribe periods close --month 2026-10`,
    )
    .action(async (options: { month: string; force?: true; yes?: true; author?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { month } = options
      if (options.yes !== true) await confirm(`Close ${month} for all organizations? It cannot be opened again.`, surroundings)
      await using ledger = await openSettledLedger(context, 'periods')
      const lagging = await laggingWriters(context, ledger.db, monthOf(month)?.end ?? 0)
      const closedBy = options.author ?? operatorOf(surroundings)
      const outcome = await closeMonth(ledger.db, { month, closedBy, force: options.force === true, lagging })
      if (outcome.kind !== 'closed' && outcome.kind !== 'already_closed') throw refusal(month, outcome)
      if (context.out.json) context.out.value({ outcome: outcome.kind, month })
      else context.out.line(outcome.kind === 'closed' ? `${month} is closed` : `${month} was closed already`)
    })
}

function addList(root: Command, surroundings: Surroundings): void {
  root
    .command('list')
    .description('list every month with usage, whether it is closed, and what is still held in it')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'periods', logger: context.logger })
      const months = await listMonths(ledger.db)
      if (context.out.json) {
        return context.out.value(
          months.map(({ month, state, closedAt, closedBy, records, heldRecords, dirtyHours, adjustments }) => ({
            month,
            state,
            ...(closedAt !== undefined && { closed_at: formatInstant(closedAt) }),
            ...(closedBy !== undefined && { closed_by: closedBy }),
            records: Number(records),
            held_records: Number(heldRecords),
            dirty_hours: Number(dirtyHours),
            adjustments: Number(adjustments),
          })),
        )
      }
      context.out.table(
        [
          { title: 'month' },
          { title: 'state' },
          { title: 'records', align: 'right' },
          { title: 'held', align: 'right' },
          { title: 'to rate', align: 'right' },
          { title: 'adjustments', align: 'right' },
          { title: 'closed' },
          { title: 'by' },
        ],
        months.map((each) => [
          each.month,
          each.state,
          String(each.records),
          String(each.heldRecords),
          String(each.dirtyHours),
          String(each.adjustments),
          each.closedAt === undefined ? '–' : formatInstant(each.closedAt),
          each.closedBy ?? '–',
        ]),
      )
    })
}

type Refused = Exclude<CloseOutcome, { readonly kind: 'closed' | 'already_closed' }>

function refusal(month: string, outcome: Refused): PeriodRefusedError {
  const [why, mend] = reasonOf(outcome)
  return new PeriodRefusedError(`Cannot close ${month}: ${why}; ${mend}`)
}

function reasonOf(outcome: Refused): readonly [why: string, mend: string] {
  switch (outcome.kind) {
    case 'not_over':
      return [`it ends at ${formatInstant(outcome.end)}`, 'close it once it is over and gateways have shipped what they had']
    case 'earlier_open':
      return [`${outcome.month} has usage and is open`, `months close in order: \`ascribe periods close --month ${outcome.month}\``]
    case 'dirty':
      return [`${outcome.hours} hours wait to be rated`, 'run `ascribe rate`, or let the settler finish']
    case 'lagging':
      return [`the journals of ${outcome.writers.join(', ')} hold what the ledger has not`, 'let the settler ship them: `ascribe settler`']
    case 'held': {
      const { unpriced, unattributed, unknown } = outcome
      const held = `usage is held (records unpriced: ${unpriced}, of nobody: ${unattributed}, of unknown quantity: ${unknown})`
      return [held, '`ascribe prices apply --supplement` or `ascribe keys map` mend the first two; --force closes it as it is']
    }
  }
}
