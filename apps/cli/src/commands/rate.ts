import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { dryRun, rateDirtyHours, verifyRating } from '@ascribe/ledger'
import type { DryRun } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant, formatNano } from '@ascribe/units'
import type { Nano } from '@ascribe/units'
import { monthArgument } from '../arguments.ts'
import { booksInForce } from '../book-in-force.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { openSettledLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import { readPriceFile } from '../price-file.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type RateOptions = { readonly dryRun?: true; readonly prices?: string; readonly month: string }

/** `ascribe rate`, `ascribe rate --dry-run`, `ascribe rate verify`. */
export function configureRate(root: Command, surroundings: Surroundings, finish: Finish): void {
  const rate = root
    .option('--dry-run', 'change nothing: show what a month would come to')
    .option('--prices <file>', 'with --dry-run: by these prices instead of those in force')
    .option('--month <month>', 'with --dry-run: YYYY-MM, UTC', monthArgument, new Date().toISOString().slice(0, 7))
    .addHelpText('after', '\nExample:  ascribe rate --dry-run --prices new.yaml --month 2026-10')
    .action(async (options: RateOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      if (options.prices !== undefined && options.dryRun !== true)
        command.error('error: --prices goes with --dry-run; `ascribe prices apply` puts prices in force')
      const price = options.prices === undefined ? undefined : readPriceFile(options.prices)
      await using ledger = await openSettledLedger(context, 'rate')
      if (options.dryRun !== true) {
        const { hours, charges } = await rateAll(ledger.db)
        if (context.out.json) context.out.value({ hours, charges })
        else context.out.line('everything is rated')
        return
      }
      const books = price === undefined ? await booksInForce(ledger.db) : [price]
      if (books.length === 0)
        throw new InputError('Cannot rate: there are no prices', {
          hint: 'Give a price book with --prices FILE, or apply one: `ascribe prices apply FILE`.',
        })
      const runs: DryRun[] = []
      for (const { text, file } of books) runs.push(await dryRun(ledger.db, { month: options.month, text, file }))
      printRuns(context.out, runs)
    })
  addVerify(rate, surroundings, finish)
}

/** Until nothing is dirty but what came in meanwhile. */
async function rateAll(db: Database): Promise<{ readonly hours: number; readonly charges: number }> {
  let [hours, charges] = [0, 0]
  for (;;) {
    const pass = await rateDirtyHours(db)
    hours += pass.hours
    charges += pass.charges
    if (!pass.more || pass.hours === 0) return { hours, charges }
  }
}

function printRuns(out: Output, runs: readonly DryRun[]): void {
  const rows = runs.flatMap(({ currency, rows: inCurrency }) => inCurrency.map((row) => ({ currency, ...row })))
  if (out.json) {
    return out.value(
      rows.map(({ organizationId, name, currency, before, after, unpricedBefore, unpricedAfter }) => ({
        organization_id: organizationId,
        name,
        currency,
        before: formatNano(before),
        after: formatNano(after),
        change: formatNano(difference(after, before)),
        unpriced_before: Number(unpricedBefore),
        unpriced_after: Number(unpricedAfter),
      })),
    )
  }
  out.table(
    [
      { title: 'organization' },
      { title: 'currency' },
      { title: 'charged now', align: 'right' },
      { title: 'by these prices', align: 'right' },
      { title: 'change', align: 'right' },
      { title: 'without a price', align: 'right' },
    ],
    rows.map(({ name, currency, before, after, unpricedBefore, unpricedAfter }) => [
      name,
      currency,
      formatNano(before),
      formatNano(after),
      formatNano(difference(after, before)),
      unpricedBefore === unpricedAfter ? String(unpricedAfter) : `${unpricedBefore} → ${unpricedAfter}`,
    ]),
  )
}

const difference = (after: Nano, before: Nano): Nano => after - before

function addVerify(rate: Command, surroundings: Surroundings, finish: Finish): void {
  rate
    .command('verify')
    .description('recount charges, adjustments and lines of closed months from the records, independently; exit code 1 if anything differs')
    .option('--month <month>', 'only this month (default: all there is)', monthArgument)
    .action(async (options: { month?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openSettledLedger(context, 'rate')
      // `rate` itself has a --month with a default, which commander would hand down: only a month that was asked for narrows this.
      const { records, hours, pendingHours, differences } = await context.out.progress(
        'recounting',
        verifyRating(ledger.db, options.month === undefined ? {} : { month: options.month }),
      )
      if (differences.length > 0) finish(EXIT.failed)
      if (context.out.json) {
        context.out.value({
          ok: differences.length === 0,
          records,
          hours,
          pending_hours: pendingHours,
          differences: differences.map((each) => ({ ...each, hour: formatInstant(each.hour) })),
        })
        return
      }
      for (const { hour, table, kind, row } of differences)
        context.out.line(`${context.out.style.bad('✗')} ${formatInstant(hour)}  ${kind} ${table}: ${row}`)
      context.out.line(
        `${records} records in ${hours} hours recounted${pendingHours > 0 ? `, ${pendingHours} hours wait to be rated` : ''}: ${differences.length === 0 ? 'every charge agrees' : `${differences.length} differences`}`,
      )
    })
}
