import type { Command } from 'commander'
import { inspectJournal, verifyJournal } from '@ascribe/journal'
import type { JournalReport } from '@ascribe/journal'
import { formatInstant } from '@ascribe/units'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe journal verify|inspect`. */
export function configureJournal(root: Command, surroundings: Surroundings, finish: Finish): void {
  const journal = root
  journal
    .command('verify')
    .argument('[path]', 'a data directory, or a journal in it (default: the data directory)')
    .description('check that every settlement has exactly one earlier intent, no intent has two, and nothing is damaged')
    .addHelpText(
      'after',
      `
Reads live journals too. Exit code 0 only if all of it holds. What has been shipped to the ledger is no longer in a journal.

  open         intents without a settlement: requests under way, or of a process that died
  torn bytes   after the last whole entry of a writer that died
  void bytes   that a recovery has replaced
  orphans      settlements without an earlier intent`,
    )
    .action(async (path: string | undefined, _options: unknown, command: Command) => {
      const { out, dir } = contextOf(command, surroundings)
      const report = await out.progress('reading journals', verifyJournal(path ?? dir.root))
      if (!report.ok) finish(EXIT.failed)
      if (out.json) out.value(reportJson(report))
      else printReport(out, report)
    })
  journal
    .command('inspect')
    .argument('[path]', 'a data directory, or a journal in it (default: the data directory)')
    .description('print every entry, one a line')
    .action(async (path: string | undefined, _options: unknown, command: Command) => {
      const { out, dir } = contextOf(command, surroundings)
      for await (const { writer, kind, eventId, writtenAt, payload, segment, end } of inspectJournal(path ?? dir.root)) {
        if (out.json)
          out.value({
            writer,
            segment,
            end,
            kind,
            event_id: eventId,
            written_at: formatInstant(writtenAt),
            payload: JSON.parse(payload) as unknown,
          })
        else out.line(`${formatInstant(writtenAt)}  ${kind.padEnd(10)}  ${eventId}  ${payload}`)
      }
    })
}

function reportJson({ tornBytes, voidBytes, ...counts }: JournalReport): Record<string, unknown> {
  return { ...counts, torn_bytes: tornBytes, void_bytes: voidBytes }
}

const WORDS: Readonly<Record<string, string>> = { tornBytes: 'torn bytes', voidBytes: 'void bytes' }

function printReport(out: Output, report: JournalReport): void {
  const { ok, violations, ...counts } = report
  for (const [name, value] of Object.entries(counts)) out.line(`${(WORDS[name] ?? name).padEnd(16)} ${String(value)}`)
  for (const violation of violations)
    out.line(`${out.style.bad('✗')} ${typeof violation === 'string' ? violation : JSON.stringify(violation)}`)
  out.line(
    ok
      ? `${out.style.good('✓')} every settlement has exactly one earlier intent, and no intent has two`
      : out.style.bad('the journal is not sound'),
  )
}
