import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import type { ActAuthor, ActEffect } from '@ascribe/ledger'
import { formatNano } from '@ascribe/units'
import { operatorOf } from './operator.ts'
import type { Output } from './output.ts'
import type { Surroundings } from './surroundings.ts'

export type ActOptions = { readonly reason: string; readonly actor?: string; readonly dryRun?: true }

/** The options of every act upon records. */
export function addActOptions(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why; written down for ever', textArgument)
    .option('--actor <name>', 'who; written down for ever (default: the user of this machine)', textArgument)
    .option('--dry-run', 'change nothing: show what would change, in quantities and money')
}

function textArgument(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('Write a few words.')
  return text
}

export function authorOf({ reason, actor }: ActOptions, surroundings: Surroundings): ActAuthor {
  return { reason, actor: actor ?? operatorOf(surroundings) }
}

/** An effect as one JSON value. */
export function effectJson({ hours, closedHours, rows }: ActEffect): object {
  return {
    hours,
    closed_hours: closedHours,
    changes: rows.map((row) => ({
      organization_id: row.organizationId,
      name: row.name,
      currency: row.currency,
      meter: row.meter,
      quantity_before: String(row.quantityBefore),
      quantity_after: String(row.quantityAfter),
      amount_before: formatNano(row.amountBefore),
      amount_after: formatNano(row.amountAfter),
    })),
  }
}

/** The same for people. */
export function printEffect(out: Output, { hours, closedHours, rows }: ActEffect): void {
  out.table(
    [
      { title: 'organization' },
      { title: 'meter' },
      { title: 'quantity now', align: 'right' },
      { title: 'then', align: 'right' },
      { title: 'charged now', align: 'right' },
      { title: 'then', align: 'right' },
      { title: 'currency' },
    ],
    rows.map((row) => [
      row.name ?? row.organizationId ?? '(nobody yet)',
      row.meter,
      String(row.quantityBefore),
      String(row.quantityAfter),
      formatNano(row.amountBefore),
      formatNano(row.amountAfter),
      row.currency ?? '',
    ]),
  )
  out.line(
    `${counted(hours, 'hour')} of usage${closedHours > 0 ? `, ${closedHours} of them in closed months: the difference becomes adjustments` : ''}; nothing was changed`,
  )
}

export function counted(count: number | bigint, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`
}
