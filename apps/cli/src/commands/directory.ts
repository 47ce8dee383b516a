import type { Command } from 'commander'
import { Argument } from 'commander'
import { InputError } from '@ascribe/kit'
import { HISTORY_SUBJECTS, parseDirectory, readHistory, syncDirectory } from '@ascribe/ledger'
import type { HistoryEntry, HistorySubject, LineProblem, SyncChange } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { contextOf } from '../command.ts'
import { changeJson, printChanges } from '../directory-changes.ts'
import { readDirectorySource } from '../directory-source.ts'
import { DirectoryConflictError, DirectorySourceError } from '../errors.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import type { ListShape } from '../list-output.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe directory sync|history`. */
export function configureDirectory(directory: Command, surroundings: Surroundings): void {
  addSync(directory, surroundings)
  addHistory(directory, surroundings)
}

type SyncCommandOptions = { dryRun?: boolean; deleteMissing?: boolean; force?: boolean; source: string }

const SYNC_HELP = `
The source is YAML, JSON or NDJSON, a file or an address; what each section holds: docs/guides/identity.md. The value of the Authorization
header for an address is the setting directory.authorization (ASCRIBE_DIRECTORY_AUTHORIZATION, or …_FILE).
All of it is done, or nothing. The same source again changes nothing.

Examples:  ascribe directory sync people.yaml --dry-run
           ascribe directory sync https://idp.example.com/export.json --delete-missing`

function addSync(directory: Command, surroundings: Surroundings): void {
  directory
    .command('sync')
    .argument('<source>', 'a file, or an http(s) address')
    .description('bring organizations, users, groups, resources and mappings to what a source says')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--delete-missing', 'end what this source delivered before and leaves out now; without it nothing ends by being absent')
    .option('--force', 'with --delete-missing: even if that is more than half of what it delivered')
    .option('--source <name>', 'what this source is called, to tell what it delivers from what others do', 'sync')
    .addHelpText('after', SYNC_HELP)
    .action(async (place: string, options: SyncCommandOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { text, format } = await context.out.progress('reading the source', readDirectorySource(place, context.config))
      const parsed = parseDirectory(text, { ...(format !== undefined && { format }) })
      refuse(place, parsed.problems)
      const outcome = await context.out.progress(
        'writing the directory',
        changeDirectory(context, 'directory', (db) =>
          syncDirectory(db, parsed.document, {
            source: options.source,
            dryRun: options.dryRun === true,
            deleteMissing: options.deleteMissing === true,
            force: options.force === true,
            recordedBy: `${operatorOf(surroundings)}, directory sync ${options.source}`,
          }),
        ),
      )
      if (outcome.kind === 'refused') return refuse(place, parsed.locate(outcome.problems))
      if (outcome.kind === 'too_many_missing') {
        throw new DirectoryConflictError(
          `Cannot sync: ${outcome.missing} of ${outcome.known} entries that the source "${options.source}" delivered are missing in ${place}; ` +
            'is it whole? With --force they are ended',
        )
      }
      if (context.out.json) {
        const { changes, hours } = outcome
        const dryRun = outcome.kind === 'planned'
        return context.out.value({ dry_run: dryRun, summary: summaryOf(changes), hours_to_rate: hours, changes: changes.map(changeJson) })
      }
      printChanges(context.out, outcome.changes)
      if (outcome.kind === 'planned') context.out.note('This was a dry run: nothing has been changed.')
      if (outcome.hours > 0)
        context.out.note(`${outcome.hours} hours of usage ${outcome.kind === 'planned' ? 'would' : 'will'} be rated again.`)
    })
}

/** @throws {DirectorySourceError} when there is a problem */
function refuse(place: string, problems: readonly LineProblem[]): void {
  if (problems.length > 0) throw new DirectorySourceError(place, problems)
}

function summaryOf(changes: readonly SyncChange[]): Record<string, Record<string, number>> {
  const summary: Record<string, Record<string, number>> = {}
  for (const { kind, change } of changes) {
    const counts = (summary[kind] ??= {})
    counts[change] = (counts[change] ?? 0) + 1
  }
  return summary
}

const HISTORY_SHAPE: ListShape<HistoryEntry> = {
  columns: [{ title: 'from' }, { title: 'what' }, { title: 'says' }, { title: 'recorded' }, { title: 'by' }],
  row: ({ kind, validFrom, revision, recordedAt, recordedBy, says }) => [
    instantText(validFrom),
    revision === 0 ? kind.replace('_', ' ') : `${kind.replace('_', ' ')} (correction ${revision})`,
    saysText(says),
    formatInstant(recordedAt),
    recordedBy ?? '',
  ],
  json: ({ kind, validFrom, revision, recordedAt, recordedBy, says }) => ({
    kind,
    valid_from: Number.isFinite(validFrom) ? formatInstant(validFrom) : null,
    revision,
    recorded_at: formatInstant(recordedAt),
    recorded_by: recordedBy,
    says,
  }),
}

function instantText(at: number): string {
  return at === -Infinity ? 'the beginning' : formatInstant(at)
}

function saysText(says: Readonly<Record<string, unknown>>): string {
  return Object.entries(says)
    .filter(([, value]) => value !== null && value !== false)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')
}

function addHistory(directory: Command, surroundings: Surroundings): void {
  directory
    .command('history')
    .addArgument(new Argument('<kind>', 'what it is').choices([...HISTORY_SUBJECTS]))
    .argument('<id>', 'its id; of an organization also its name')
    .description('show everything that was ever said of something: what holds from when on, who said it and when')
    .addHelpText('after', '\nExample:  ascribe directory history auth-id tok-123')
    .action(async (kind: HistorySubject, id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'directory', logger: context.logger })
      const known = kind === 'organization' ? (await organizationNamed(ledger.db, id)).id : id
      const entries = await readHistory(ledger.db, kind, known)
      if (entries.length === 0) throw new InputError(`Cannot tell the history of ${kind} "${id}": nothing was ever said of it`)
      await writeList(context.out, entries, HISTORY_SHAPE)
    })
}
