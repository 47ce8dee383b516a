import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { usageReport } from '@ascribe/ledger'
import type { UsageDimension, UsageReport } from '@ascribe/ledger'
import { formatNano } from '@ascribe/units'
import { instantArgument, listArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { openSettledLedger } from '../open-ledger.ts'
import type { Column, Output } from '../output.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'
import { addPush } from './usage-push.ts'

const DIMENSIONS: readonly UsageDimension[] = ['model', 'day', 'hour', 'key', 'user', 'meter', 'resource']

type UsageOptions = { readonly org: string; readonly from: number; readonly to: number; readonly by: readonly UsageDimension[] }
type GivenOptions = Partial<Omit<UsageOptions, 'by'>> & Pick<UsageOptions, 'by'>

/** `ascribe usage`, `ascribe usage push`. */
export function configureUsage(root: Command, surroundings: Surroundings, finish: Finish): void {
  addPush(root, surroundings, finish)
  root
    .option('--org <id>', 'the organization, by id or name')
    .option('--from <instant>', 'RFC 3339, or a day in UTC', instantArgument)
    .option('--to <instant>', 'not included', instantArgument)
    .option('--by <dimensions>', `comma-separated: ${DIMENSIONS.join(', ')}`, dimensionsArgument, ['model', 'day'])
    .addHelpText('after', '\nExample:  ascribe usage --org Acme --from 2026-11-01 --to 2026-12-01 --by model,day')
    .action(async (given: GivenOptions, command: Command) => {
      const options = completed(command, given)
      const context = contextOf(command, surroundings)
      await using ledger = await openSettledLedger(context, 'usage')
      const organization = await organizationNamed(ledger.db, options.org)
      const report = await usageReport(ledger.db, { organizationId: organization.id, from: options.from, to: options.to, by: options.by })
      if (report !== undefined) printReport(context.out, report, options.by)
    })
}

/** Not required by name: commander would require them of `usage push` too. */
function completed(command: Command, { org, from, to, by }: GivenOptions): UsageOptions {
  const missing = Object.entries({ org, from, to }).find(([, value]) => value === undefined)
  if (missing !== undefined || org === undefined || from === undefined || to === undefined)
    return command.error(`error: required option '--${missing?.[0]}' not specified`)
  return { org, from, to, by }
}

function printReport(out: Output, { currency, rows }: UsageReport, by: readonly UsageDimension[]): void {
  if (out.json) {
    return out.value(
      rows.map(({ key, records, heldRecords, meters, amount, pricedByMonth }) => ({
        ...key,
        records: Number(records),
        held_records: Number(heldRecords),
        meters: numbers(meters),
        amount: formatNano(amount),
        currency,
        ...(Object.keys(pricedByMonth).length > 0 && { priced_by_month: numbers(pricedByMonth) }),
      })),
    )
  }
  const meters = [...new Set(rows.flatMap((row) => Object.keys(row.meters)))].toSorted()
  const right = (title: string): Column => ({ title, align: 'right' })
  out.table(
    [...by.map((title) => ({ title })), right('records'), right('held'), ...meters.map(right), right(currency)],
    rows.map((row) => [
      ...by.map((name) => row.key[name] ?? '–'),
      String(row.records),
      String(row.heldRecords),
      ...meters.map((meter) => String(row.meters[meter] ?? 0n)),
      // Else what has no amount here would look free.
      `${formatNano(row.amount)}${Object.keys(row.pricedByMonth).length > 0 ? ' *' : ''}`,
    ]),
  )
  const byMonth = [...new Set(rows.flatMap((row) => Object.keys(row.pricedByMonth)))].toSorted()
  if (byMonth.length > 0) out.line(`* without ${byMonth.join(', ')}: the total of the month prices it, on the statement`)
}

function dimensionsArgument(text: string): UsageDimension[] {
  const names = listArgument(text)
  const unknown = names.find((name) => !DIMENSIONS.includes(name as UsageDimension))
  if (unknown !== undefined || names.length === 0) throw new InvalidArgumentError(`"${unknown ?? ''}" is none of ${DIMENSIONS.join(', ')}.`)
  return names as UsageDimension[]
}

function numbers(quantities: Readonly<Record<string, bigint>>): Record<string, number> {
  return Object.fromEntries(Object.entries(quantities).map(([meter, quantity]) => [meter, Number(quantity)]))
}
