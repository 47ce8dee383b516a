import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { listPriceVersions, readKnownOrganizations, readPriceVersion } from '@ascribe/ledger'
import type { PriceVersion, Start } from '@ascribe/ledger'
import { diffBooks, parsePriceBook } from '@ascribe/rating'
import type { BookDiff, KnownOrganizations } from '@ascribe/rating'
import { formatInstant } from '@ascribe/units'
import { applyPrices, startJson, startText } from '../apply-prices.ts'
import type { Applied } from '../apply-prices.ts'
import { instantArgument } from '../arguments.ts'
import { versionInForce } from '../book-in-force.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { installPrices } from '../install-prices.ts'
import { fetchPrices, managerOf } from '../manager.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Output } from '../output.ts'
import { readPriceFile } from '../price-file.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe prices check|diff|apply|list`. */
export function configurePrices(root: Command, surroundings: Surroundings): void {
  addCheck(root, surroundings)
  addDiff(root, surroundings)
  addApply(root, surroundings)
  addFetch(root, surroundings)
  addList(root, surroundings)
}

function addCheck(prices: Command, surroundings: Surroundings): void {
  prices
    .command('check')
    .argument('<file>', 'a price book, YAML')
    .description('check a price book: every problem with its line, and how to mend it')
    .addHelpText('after', '\nWhere there is a ledger, the organizations that the book names are looked up too.')
    .action(async (file: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      const { book } = readPriceFile(file)
      const names = [
        ...book.overrides.keys(),
        ...[...book.minimums, ...book.commitments].flatMap(({ organizationId = [] }) => organizationId),
      ]
      if (names.length > 0) {
        const organizations = await readOrganizations(context)
        if (organizations === undefined) out.note('the organizations of the book were not looked up: there is no ledger here')
        else readPriceFile(file, { organizations })
      }
      if (out.json) return out.value({ file, sha256: book.sha256, currency: book.currency, models: book.models.size })
      out.line(
        `${file} is fine: ${book.models.size} ${book.models.size === 1 ? 'model' : 'models'}, in ${book.currency}, sha256 ${book.sha256.slice(0, 12)}`,
      )
    })
}

/** Those of the ledger, if there is one already: checking a file makes none. */
async function readOrganizations(context: Context): Promise<KnownOrganizations | undefined> {
  if (context.config.database_url === undefined && !existsSync(context.dir.postgres)) return undefined
  await using ledger = await openLedger(context, { name: 'prices', logger: context.logger })
  // Awaited here: the ledger is closed when this returns.
  return await readKnownOrganizations(ledger.db)
}

function addDiff(prices: Command, surroundings: Surroundings): void {
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
      const diff = diffBooks(before, book)
      if (context.out.json) context.out.value(diffJson(diff))
      else printDiff(context.out, diff)
    })
}

type ApplyOptions = {
  readonly effectiveFrom?: Start
  readonly supplement?: true
  readonly until?: number
  readonly author?: string
}

function addApply(prices: Command, surroundings: Surroundings): void {
  prices
    .command('apply')
    .argument('<file>', 'a price book, YAML')
    .description('put a price book in force: from now, or from an instant that no charge covers')
    .option('--effective-from <instant>', "from when on, or 'beginning'; what has been charged is never repriced", startArgument)
    .option('--supplement', 'price only what has no price yet, from the beginning until now; no charge can change')
    .option('--until <instant>', 'where a supplement ends (default: now)', instantArgument)
    .option('--author <name>', 'who applies it (default: the user of the operating system)')
    .addHelpText(
      'after',
      `
Examples:  ascribe prices apply prices.yaml
           ascribe prices apply prices.yaml --effective-from 2027-01-01
           ascribe prices apply prices.yaml --supplement      held usage gets a price, nothing else changes`,
    )
    .action(async (file: string, options: ApplyOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { effectiveFrom, supplement, until } = options
      if (until !== undefined && supplement !== true)
        command.error('error: --until goes with --supplement; a version holds until the next one')
      const price = readPriceFile(file)
      // Settled first, so that what has been used by now is charged by the prices of its time.
      await using ledger = await openSettledLedger(context, 'prices')
      const applied = await applyPrices(ledger.db, {
        text: price.text,
        file: price.file,
        appliedBy: options.author ?? operatorOf(surroundings),
        ...(effectiveFrom !== undefined && { effectiveFrom }),
        ...(supplement === true && { supplement: until === undefined ? {} : { until } }),
      })
      if (context.out.json) context.out.value({ ...applied, ...(applied.diff && { diff: diffJson(applied.diff) }) })
      else printApplied(context.out, applied)
    })
}

function addFetch(prices: Command, surroundings: Surroundings): void {
  prices
    .command('fetch')
    .description('fetch the prices of a central manager, and put them in force from now')
    .option('--output <file>', 'write them to a file, and their version to FILE.version, instead')
    .option('--author <name>', 'who applies them (default: the user of the operating system)')
    .addHelpText(
      'after',
      '\nThe manager is manager.url and manager.token of the configuration. Nothing changes unless the reply is a whole, sound price book.',
    )
    .action(async (options: { output?: string; author?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const manager = managerOf(context)
      const { text, version } = await fetchPrices(manager)
      const file = `${manager.url}#${version}`
      parsePriceBook(text, { file })
      if (options.output !== undefined) {
        const isNew = installPrices(options.output, { text, version })
        if (context.out.json) return context.out.value({ outcome: isNew ? 'written' : 'unchanged', file: options.output, version })
        return context.out.line(isNew ? `${options.output} holds version ${version}` : `${options.output} held version ${version} already`)
      }
      await using ledger = await openSettledLedger(context, 'prices')
      const applied = await applyPrices(ledger.db, { text, file, appliedBy: options.author ?? operatorOf(surroundings) })
      if (context.out.json) context.out.value({ ...applied, version, ...(applied.diff && { diff: diffJson(applied.diff) }) })
      else printApplied(context.out, applied)
    })
}

function startArgument(text: string): Start {
  if (text === 'beginning') return 'beginning'
  try {
    return instantArgument(text)
  } catch (cause) {
    throw cause instanceof InvalidArgumentError ? new InvalidArgumentError(`${cause.message} Or write beginning.`) : cause
  }
}

function printApplied(out: Output, applied: Applied): void {
  if (applied.outcome === 'unchanged' || applied.diff === undefined) return out.line('these very prices are in force already')
  printDiff(out, applied.diff)
  out.line('')
  const from = applied.effective_from ?? 'the beginning'
  const { sequence, currency } = applied
  if (applied.effective_until === undefined) out.line(`version ${sequence}, in ${currency}, is in force from ${from}`)
  else out.line(`version ${sequence}, in ${currency}, supplements what has no price from ${from} until ${applied.effective_until}`)
}

function addList(prices: Command, surroundings: Surroundings): void {
  prices
    .command('list')
    .description('list every version: which is in force, which are scheduled, replaced or supplements, and who applied them')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'prices', logger: context.logger })
      const versions = statesOf(await listPriceVersions(ledger.db), Date.now())
      if (context.out.json) return context.out.value(versions.map(versionJson))
      context.out.table(
        [
          { title: 'version', align: 'right' },
          { title: 'state' },
          { title: 'from' },
          { title: 'until' },
          { title: 'currency' },
          { title: 'sha256' },
          { title: 'file' },
          { title: 'applied' },
          { title: 'by' },
        ],
        versions.map(({ state, until, version }) => [
          String(version.sequence),
          state,
          startText(version.effectiveFrom),
          until === undefined ? '–' : formatInstant(until),
          version.currency,
          version.sha256.slice(0, 12),
          version.file,
          formatInstant(version.appliedAt),
          version.appliedBy,
        ]),
      )
    })
}

/** `void`: it never was and never will be in force, since a version applied later begins where it does. */
type VersionState = 'in force' | 'scheduled' | 'replaced' | 'supplement' | 'void'
type Listed = { readonly version: PriceVersion; readonly state: VersionState; readonly until?: number }

function statesOf(versions: readonly PriceVersion[], now: number): readonly Listed[] {
  return versions.map((version) => {
    if (version.kind === 'supplement') {
      return { version, state: 'supplement', ...(version.effectiveUntil !== undefined && { until: version.effectiveUntil }) }
    }
    const from = epochOf(version.effectiveFrom)
    const others = versions.filter((each) => each.kind === 'full' && each.currency === version.currency)
    const isVoid = others.some((each) => epochOf(each.effectiveFrom) === from && each.sequence > version.sequence)
    if (isVoid) return { version, state: 'void' }
    const until = Math.min(...others.map((each) => epochOf(each.effectiveFrom)).filter((at) => at > from))
    const state = from > now ? 'scheduled' : until <= now ? 'replaced' : 'in force'
    return { version, state, ...(until !== Infinity && { until }) }
  })
}

function epochOf(start: Start): number {
  return start === 'beginning' ? -Infinity : start
}

function versionJson({ version, state, until }: Listed): object {
  const { sequence, currency, effectiveFrom, sha256, file, appliedAt, appliedBy } = version
  return {
    sequence,
    state,
    currency,
    effective_from: startJson(effectiveFrom),
    ...(until !== undefined && { effective_until: formatInstant(until) }),
    sha256,
    file,
    applied_at: formatInstant(appliedAt),
    applied_by: appliedBy,
  }
}

function diffJson({ rates, ...diff }: BookDiff): object {
  return {
    ...diff,
    rates: rates.map(({ organizationId, ...rate }) => ({
      ...rate,
      ...(organizationId !== undefined && { organization_id: organizationId }),
    })),
  }
}

function printDiff(out: Output, diff: BookDiff): void {
  if (diff.currency !== undefined) out.line(`currency: ${diff.currency.before} → ${diff.currency.after}`)
  if (diff.premium !== undefined) out.line(`premium of fine-tunes: ${diff.premium.before} → ${diff.premium.after}`)
  for (const { change, text } of diff.agreements) out.line(`${change}: ${text}`)
  if (diff.rates.length === 0) return out.line('no rate changes')
  out.table(
    [
      { title: '' },
      { title: 'model' },
      { title: 'meter' },
      { title: 'before', align: 'right' },
      { title: 'after', align: 'right' },
      { title: 'only for' },
    ],
    diff.rates.map(({ change, model, meter, before, after, organizationId }) => [
      change,
      model,
      meter,
      before ?? '–',
      after ?? '–',
      organizationId ?? '',
    ]),
  )
}
