import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { Command } from 'commander'
import { InputError, systemClock } from '@ascribe/kit'
import { archivePartition, listPartitions, purge } from '@ascribe/ledger'
import type { RecordPartition } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { monthArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { sha256Of, writeDurably } from '../durable-file.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

const DAY_MS = 86_400_000

/** `ascribe retention list|archive|verify|purge`. Nothing of it happens by itself. */
export function configureRetention(root: Command, surroundings: Surroundings, finish: Finish): void {
  root.addHelpText('after', '\nNothing is deleted unless one of these is called: put them into a timer once a month, or never.')
  addList(root, surroundings)
  addArchive(root, surroundings)
  addVerify(root, surroundings, finish)
  addPurge(root, surroundings)
}

function addList(root: Command, surroundings: Surroundings): void {
  root
    .command('list')
    .description('list the monthly partitions of the records, and those that are in archives')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'retention', logger: context.logger, max: 2 })
      const partitions = await listPartitions(ledger.db)
      if (context.out.json) return context.out.value(partitions.map(partitionJson))
      context.out.table(
        [
          { title: 'months' },
          { title: 'state' },
          { title: 'records', align: 'right' },
          { title: 'bytes', align: 'right' },
          { title: 'partition' },
          { title: 'file' },
        ],
        partitions.map((each) => [monthsOf(each), each.state, String(each.records), String(each.bytes), each.name, each.file ?? '']),
      )
    })
}

function addArchive(root: Command, surroundings: Surroundings): void {
  root
    .command('archive')
    .requiredOption('--before <month>', 'YYYY-MM, UTC: whatever is older', monthArgument)
    .requiredOption('--to <folder>', 'where the files go')
    .option('--dry-run', 'only say what would be archived')
    .option('--author <name>', 'who archives it (default: the user of the operating system)')
    .description('move the records of closed months into files and drop their partitions; bills and statements stay')
    .addHelpText(
      'after',
      `
One file a partition: gzipped CSV with a head line, and its SHA-256 in the ledger. A partition is dropped when its file has been read back.
From then on its months cannot be rated again: no correction of a mapping or an act changes them.

Examples:
  ascribe retention archive --before 2026-01 --to /backup/ascribe --dry-run
  ascribe retention archive --before 2026-01 --to /backup/ascribe`,
    )
    .action(async (options: { before: string; to: string; dryRun?: true; author?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openSettledLedger(context, 'retention')
      const due = (await listPartitions(ledger.db)).filter((each) => each.state !== 'archived' && each.endMonth <= options.before)
      const files =
        options.dryRun === true
          ? due.map(partitionJson)
          : await context.out.progress(
              'archiving',
              archiveAll(ledger.db, due, { to: options.to, archivedBy: options.author ?? operatorOf(surroundings) }),
            )
      if (context.out.json) return context.out.value(files)
      for (const each of files) context.out.line(Object.values(each).join('  '))
      if (files.length === 0) context.out.line(`nothing is older than ${options.before}`)
    })
}

async function archiveAll(
  db: Database,
  due: readonly RecordPartition[],
  { to, archivedBy }: { readonly to: string; readonly archivedBy: string },
): Promise<readonly object[]> {
  mkdirSync(to, { recursive: true, mode: 0o700 })
  const done: object[] = []
  for (const { name } of due) {
    const outcome = await archivePartition(db, {
      partition: name,
      archivedBy,
      async write(partition, chunks) {
        const file = `${partition}.csv.gz`
        const gzip = Readable.from(chunks, { objectMode: false }).compose(createGzip()) as AsyncIterable<Uint8Array>
        return { file, sha256: (await writeDurably(join(to, file), gzip)).sha256 }
      },
    })
    done.push({ file: outcome.file, records: outcome.records, sha256: outcome.sha256 })
  }
  return done
}

function addVerify(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .command('verify')
    .argument('<files...>', 'files that `archive` wrote')
    .description('compare archives with the digests that the ledger has; exit code 1 if one differs')
    .addHelpText('after', '\nExample:  ascribe retention verify /backup/ascribe/*.csv.gz')
    .action(async (files: readonly string[], _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'retention', logger: context.logger, max: 2 })
      const known = new Map((await listPartitions(ledger.db)).flatMap(({ file, sha256 }) => (file === undefined ? [] : [[file, sha256]])))
      const results: { readonly file: string; readonly verdict: string }[] = []
      for (const file of files) {
        const expected = known.get(basename(file))
        if (expected === undefined) throw new InputError(`Cannot verify ${file}: this ledger has no archive of that name`)
        results.push({ file, verdict: (await sha256Of(file)).sha256 === expected ? 'sound' : 'differs' })
      }
      if (results.some(({ verdict }) => verdict !== 'sound')) finish(EXIT.failed)
      if (context.out.json) return context.out.value(results)
      for (const { file, verdict } of results) context.out.line(`${verdict}  ${file}`)
    })
}

function addPurge(root: Command, surroundings: Surroundings): void {
  root
    .command('purge')
    .option('--days <number>', 'how long it is kept, 1 or more', daysArgument, 90)
    .description(
      'delete what has served its purpose: replayed quarantine, journals and gateways that are long gone, leases of budget windows that are over',
    )
    .addHelpText('after', '\nExample:  ascribe retention purge --days 30')
    .action(async (options: { days: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'retention', logger: context.logger, max: 2 })
      const purged = await purge(ledger.db, systemClock() - options.days * DAY_MS)
      if (context.out.json) return context.out.value(purged)
      for (const [table, rows] of Object.entries(purged)) context.out.line(`${rows}  ${table}`)
    })
}

function daysArgument(text: string): number {
  const days = Number(text)
  if (!Number.isSafeInteger(days) || days < 1) throw new InputError(`Cannot use ${text} as a number of days: it must be 1 or more`)
  return days
}

function monthsOf({ firstMonth, endMonth }: RecordPartition): string {
  return firstMonth ?? `before ${endMonth}`
}

function partitionJson(each: RecordPartition): object {
  return {
    partition: each.name,
    months: monthsOf(each),
    state: each.state,
    records: each.records,
    bytes: each.bytes,
    ...(each.file !== undefined && { file: each.file, sha256: each.sha256 }),
  }
}
