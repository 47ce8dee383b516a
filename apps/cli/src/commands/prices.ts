import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { AscribeError } from '@ascribe/kit'
import { applyPriceBook, listPriceVersions, readPriceVersion } from '@ascribe/ledger'
import type { Start } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { diffBooks } from '@ascribe/rating'
import type { BookDiff } from '@ascribe/rating'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { versionInForce } from '../book-in-force.ts'
import { contextOf } from '../command.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import type { Output } from '../output.ts'
import { readPriceFile } from '../price-file.ts'
import type { Surroundings } from '../surroundings.ts'

/** A price book would change what has been charged. */
class PriceOverlapError extends AscribeError {
  override readonly code = 'PRICES_OVERLAP'
}

/** `ascribe prices check|diff|apply|list`. */
export function configurePrices(root: Command, surroundings: Surroundings): void {
  const prices = root
  prices
    .command('check')
    .argument('<file>', 'a price book, YAML')
    .description('check a price book: every problem with its line, and how to mend it')
    .action((file: string, _options: unknown, command: Command) => {
      const { out } = contextOf(command, surroundings)
      const { book } = readPriceFile(file)
      if (out.json) out.value({ file, sha256: book.sha256, currency: book.currency, models: book.models.size })
      else
        out.line(
          `${file} is fine: ${book.models.size} ${book.models.size === 1 ? 'model' : 'models'}, in ${book.currency}, sha256 ${book.sha256.slice(0, 12)}`,
        )
    })
  prices
    .command('diff')
    .argument('<file>', 'a price book, YAML')
    .description('compare a price book with the one in force')
    .action(async (file: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const { book } = readPriceFile(file)
      await using ledger = await openLedger(context, { name: 'prices', logger: context.logger })
      const version = await versionInForce(ledger.db, book.currency, Date.now())
      const before = version === undefined ? undefined : (await readPriceVersion(ledger.db, version.sequence))?.book
      printDiff(context.out, diffBooks(before, book))
    })
  addApply(prices, surroundings)
  prices
    .command('list')
    .description('list every version, with when it is in force and who applied it')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'prices', logger: context.logger })
      const versions = await listPriceVersions(ledger.db)
      if (context.out.json) {
        return context.out.value(
          versions.map(({ sequence, currency, effectiveFrom, sha256, file, appliedAt, appliedBy }) => ({
            sequence,
            currency,
            effective_from: startJson(effectiveFrom),
            sha256,
            file,
            applied_at: formatInstant(appliedAt),
            applied_by: appliedBy,
          })),
        )
      }
      context.out.table(
        [
          { title: 'version', align: 'right' },
          { title: 'in force from' },
          { title: 'currency' },
          { title: 'sha256' },
          { title: 'file' },
          { title: 'applied' },
          { title: 'by' },
        ],
        versions.map((each) => [
          String(each.sequence),
          startText(each.effectiveFrom),
          each.currency,
          each.sha256.slice(0, 12),
          each.file,
          formatInstant(each.appliedAt),
          each.appliedBy,
        ]),
      )
    })
}

function addApply(prices: Command, surroundings: Surroundings): void {
  prices
    .command('apply')
    .argument('<file>', 'a price book, YAML')
    .description('put a price book in force: from now, or from an instant that no charge covers')
    .option('--effective-from <instant>', 'from when on; what has been charged is never repriced', instantArgument)
    .action(async (file: string, options: { effectiveFrom?: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      const price = readPriceFile(file)
      // Settled first, so that what has been used by now is charged by the prices of its time.
      await using ledger = await openSettledLedger(context, 'prices')
      const applied = await applyPrices(ledger.db, price, options.effectiveFrom)
      if (context.out.json) return context.out.value(applied)
      if (applied.outcome === 'unchanged') context.out.line('these very prices are in force already')
      else context.out.line(`version ${applied.sequence} is in force from ${applied.effective_from ?? 'the beginning'}`)
    })
}

export type Applied = {
  readonly outcome: 'applied' | 'unchanged'
  readonly sequence?: number /** Null: from the beginning. */
  readonly effective_from?: string | null
}

/** Puts a price book in force. @throws {PriceOverlapError} when charges cover instants that it would govern */
export async function applyPrices(db: Database, price: { file: string; text: string }, effectiveFrom?: Start): Promise<Applied> {
  const outcome = await applyPriceBook(db, {
    text: price.text,
    file: price.file,
    appliedBy: userName(),
    ...(effectiveFrom !== undefined && { effectiveFrom }),
  })
  switch (outcome.kind) {
    case 'applied':
      return { outcome: 'applied', sequence: outcome.sequence, effective_from: startJson(outcome.effectiveFrom) }
    case 'unchanged':
      return { outcome: 'unchanged' }
    case 'overlap':
      throw new PriceOverlapError(
        `Cannot apply ${price.file} from ${effectiveFrom === undefined ? 'now' : startText(effectiveFrom)}: it would govern ${outcome.records} records that have been charged, the first at ${formatInstant(outcome.firstInstant)}; what has been charged is never repriced`,
      )
  }
}

function startJson(start: Start): string | null {
  return start === 'beginning' ? null : formatInstant(start)
}

function startText(start: Start): string {
  return start === 'beginning' ? 'the beginning' : formatInstant(start)
}

function printDiff(out: Output, diff: BookDiff): void {
  if (out.json) return out.value(diff)
  if (diff.currency !== undefined) out.line(`currency: ${diff.currency.before} → ${diff.currency.after}`)
  if (diff.premium !== undefined) out.line('the premium of fine-tunes changes')
  if (diff.rates.length === 0) return out.line('no rate changes')
  out.table(
    [{ title: '' }, { title: 'model' }, { title: 'meter' }, { title: 'before', align: 'right' }, { title: 'after', align: 'right' }],
    diff.rates.map(({ change, model, meter, before, after }) => [change, model, meter, before ?? '–', after ?? '–']),
  )
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user id without a name, as in many containers.
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
