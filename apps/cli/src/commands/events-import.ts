import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { InputError, errorChain } from '@ascribe/kit'
import {
  importBackfill,
  ingestCloudEvents,
  parseExactJson,
  previewAct,
  previewBackfill,
  readBackfillLine,
  undoBackfill,
  undoIn,
} from '@ascribe/ledger'
import type { BackfillLine, BackfillSummary, CloudEventsResult, UndoOutcome } from '@ascribe/ledger'
import { addActOptions, authorOf, counted, effectJson, printEffect } from '../act-output.ts'
import type { ActOptions } from '../act-output.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { eventRulesOf } from '../event-settings.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import type { OpenLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

/** Faulty lines that are named; one word for the rest. */
const FAULTS_MAX = 20
/** Events of one transaction. */
const BATCH = 1000

/** `ascribe events ingest|backfill`. */
export function addEventImports(events: Command, surroundings: Surroundings, finish: Finish): void {
  addIngest(events, surroundings, finish)
  addBackfill(events, surroundings)
}

function addIngest(events: Command, surroundings: Surroundings, finish: Finish): void {
  events
    .command('ingest')
    .argument('<file>', 'of CloudEvents, one a line')
    .description('take CloudEvents in, as the API does from a token of the installation; each event once; exit code 1 if one conflicts')
    .addHelpText('after', '\nExample:  ascribe events ingest events.ndjson')
    .action(async (file: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      // All of it before any of it: a file with a faulty line is mended first.
      await checkLines(file, (text) => (parseExactJson(text) === undefined ? 'is not JSON' : undefined))
      await using ledger = await openLedger(context, { name: 'events', logger: context.logger, max: 2 })
      const totals = { accepted: 0, duplicate: 0, conflicting: 0 }
      for await (const texts of batchesOf(linesOf(file))) {
        const result = await ingestCloudEvents(ledger.db, {
          sender: { kind: 'installation', name: 'cli' },
          values: texts.map(({ text }) => parseExactJson(text)?.value),
          rules: eventRulesOf(context.config.ingest),
          now: Date.now(),
        })
        for (const { kind } of storedOf(result, file, texts)) totals[kind] += 1
      }
      if (totals.conflicting > 0) finish(EXIT.failed)
      if (out.json) out.value({ accepted: totals.accepted, duplicates: totals.duplicate, conflicting: totals.conflicting })
      else
        out.line(
          `${counted(totals.accepted, 'event')} taken in, ${totals.duplicate} there before${totals.conflicting > 0 ? `, ${totals.conflicting} conflicting: \`ascribe events quarantine\` shows them` : ''}`,
        )
    })
}

type Line = { readonly number: number; readonly text: string }

function storedOf(
  result: CloudEventsResult,
  file: string,
  lines: readonly Line[],
): Extract<CloudEventsResult, { readonly kind: 'stored' }>['outcomes'] {
  if (result.kind === 'stored') return result.outcomes
  const faults = result.faults.map(({ index, reason }) => `${file}:${lines[index]?.number ?? 0}: ${reason}`)
  throw new InputError(`Cannot take the events in:\n  ${faults.slice(0, FAULTS_MAX).join('\n  ')}`, {
    hint: 'What came before these lines is stored. Mend them and run it again: each event is taken in once.',
  })
}

function addBackfill(events: Command, surroundings: Surroundings): void {
  const backfill = events
    .command('backfill')
    .argument('[file]', 'of records, one a line: as `events list --json` prints them, or CloudEvents')
    .description('import records of the past, each once; taken back as a whole with --undo')
    .requiredOption('--id <name>', 'what this backfill is called; the same name goes on where a run broke off')
    .option('--undo', 'none of its records counts any longer')
  addActOptions(backfill)
    .addHelpText('after', '\nExample:  ascribe events backfill october.ndjson --id october-from-old-system --reason "migration" --dry-run')
    .action(async (file: string | undefined, options: BackfillOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      if ((file === undefined) !== (options.undo === true)) command.error('error: give a file to import, or --undo and no file')
      if (file !== undefined) await checkLines(file, (text) => faultOf(text, context))
      await using ledger = await openSettledLedger(context, 'events')
      const input = { ...authorOf(options, surroundings), name: options.id }
      if (file === undefined) await undo(context, ledger, { input, dryRun: options.dryRun === true })
      else await importFile(context, ledger, { input, file, dryRun: options.dryRun === true })
    })
}

type BackfillOptions = ActOptions & { readonly id: string; readonly undo?: true }
type Input = { readonly name: string; readonly actor: string; readonly reason: string }

async function importFile(
  context: Context,
  { db }: OpenLedger,
  { input, file, dryRun }: { readonly input: Input; readonly file: string; readonly dryRun: boolean },
): Promise<void> {
  const { out } = context
  const lines = backfillLines(file, context)
  if (dryRun) {
    const { result, effect } = await out.progress('trying', previewBackfill(db, { ...input, lines }))
    if (out.json) return out.value({ ...summaryJson(result), ...effectJson(effect) })
    out.line(`would import ${summaryText(result)}`)
    return printEffect(out, effect)
  }
  const summary = await out.progress('importing', importBackfill(db, { ...input, lines }))
  if (out.json) out.value({ act_id: summary.actId, ...summaryJson(summary) })
  else out.line(`imported ${summaryText(summary)}`)
}

async function undo(
  { out }: Context,
  { db }: OpenLedger,
  { input, dryRun }: { readonly input: Input; readonly dryRun: boolean },
): Promise<void> {
  if (dryRun) {
    const { result, effect } = await previewAct(db, async (tx) => {
      const outcome = await undoIn(tx, input)
      return { result: outcome, hours: outcome.kind === 'undone' ? outcome.hours : [] }
    })
    const records = undoneRecords(input.name, result)
    if (out.json) return out.value({ records, ...effectJson(effect) })
    out.line(`${counted(records, 'record')} would count no longer`)
    return printEffect(out, effect)
  }
  const outcome = await undoBackfill(db, input)
  const records = undoneRecords(input.name, outcome)
  if (out.json) out.value({ act_id: outcome.kind === 'undone' ? outcome.actId : undefined, records, outcome: outcome.kind })
  else
    out.line(
      outcome.kind === 'undone' ? `${counted(records, 'record')} of ${input.name} count no longer` : `${input.name} was undone already`,
    )
}

function undoneRecords(name: string, outcome: UndoOutcome): number {
  if (outcome.kind === 'unknown')
    throw new InputError(`Cannot undo backfill ${JSON.stringify(name)}: there is none of that name`, {
      hint: '`ascribe events acts` lists them.',
    })
  return outcome.kind === 'undone' ? outcome.records : 0
}

function summaryJson({ accepted, duplicates, conflicting, present }: BackfillSummary): object {
  return { accepted, duplicates, conflicting, present }
}

function summaryText({ accepted, duplicates, conflicting, present }: BackfillSummary): string {
  const parts = [counted(accepted, 'record')]
  if (duplicates > 0) parts.push(`${duplicates} imported before`)
  if (present > 0) parts.push(`${present} of this ledger already`)
  if (conflicting > 0) parts.push(`${conflicting} conflicting: \`ascribe events quarantine\` shows them`)
  return parts.join(', ')
}

function readLine(text: string, { config }: Context): BackfillLine {
  return readBackfillLine(text, { rules: eventRulesOf(config.ingest), now: Date.now() })
}

function faultOf(text: string, context: Context): string | undefined {
  const line = readLine(text, context)
  return line.kind === 'fault' ? line.reason : undefined
}

async function* backfillLines(file: string, context: Context): AsyncGenerator<Exclude<BackfillLine, { readonly kind: 'fault' }>> {
  for await (const { number, text } of linesOf(file)) {
    const line = readLine(text, context)
    if (line.kind === 'fault') throw new InputError(`Cannot import ${file}:${number}: ${line.reason}`)
    yield line
  }
}

/** Reads a file to its end and refuses it, with every faulty line, before anything of it is stored. */
async function checkLines(file: string, check: (text: string) => string | undefined): Promise<void> {
  const faults: string[] = []
  let count = 0
  for await (const { number, text } of linesOf(file)) {
    const fault = check(text)
    if (fault === undefined) continue
    count += 1
    if (faults.length < FAULTS_MAX) faults.push(`${file}:${number}: ${fault}`)
  }
  if (count === 0) return
  const more = count > faults.length ? `\n  and ${count - faults.length} more` : ''
  throw new InputError(
    `Cannot use ${file}: ${counted(count, 'line')} cannot be read, and nothing was stored\n  ${faults.join('\n  ')}${more}`,
  )
}

async function* linesOf(file: string): AsyncGenerator<Line> {
  const input = createReadStream(file, 'utf8')
  try {
    let number = 0
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      number += 1
      if (text.trim() !== '') yield { number, text }
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    throw new InputError(`Cannot read ${file}: ${errorChain(cause)}`)
  } finally {
    input.destroy()
  }
}

async function* batchesOf(lines: AsyncIterable<Line>): AsyncGenerator<readonly Line[]> {
  let batch: Line[] = []
  for await (const line of lines) {
    batch.push(line)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
