import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { InputError } from '@ascribe/kit'
import { streamEvents, toEventJson } from '@ascribe/ledger'
import { CHARGES_HEADER, FOCUS_HEADER, chargesLine, focusLine, focusMetadata, streamExportRows, textOf } from '@ascribe/ledger/money'
import type { ExportRow } from '@ascribe/ledger/money'
import type { Database } from '@ascribe/postgres'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { openSettledLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'
import { writeText } from '../write-text.ts'

type ChargesOptions = {
  readonly org?: string
  readonly all?: true
  readonly from: number
  readonly to: number
  readonly format: 'csv' | 'focus' | 'events'
  readonly invoiced?: true
  readonly provider: string
  readonly rawText?: true
  readonly output?: string
}

/** `ascribe export charges|focus-metadata`. */
export function configureExport(root: Command, surroundings: Surroundings): void {
  root
    .command('charges')
    .description('everything that is charged, in detail, at any size: the sum is that of the statements, or the invoices, to the nano')
    .option('--org <id>', 'one organization, by id or name')
    .option('--all', 'every organization')
    .requiredOption('--from <instant>', 'RFC 3339, or a day in UTC', instantArgument)
    .requiredOption('--to <instant>', 'not included', instantArgument)
    .addOption(
      new Option('--format <format>', 'csv, FOCUS 1.2, or usage records, one JSON object a line')
        .choices(['csv', 'focus', 'events'])
        .default('csv'),
    )
    .option('--invoiced', 'rows of issued invoices, with credits, taxes and rounding; FOCUS is of the others otherwise')
    .option('--provider <name>', 'who sells, for FOCUS', 'Ascribe')
    .option('--raw-text', 'leave text as it is where a spreadsheet would take it for a formula')
    .option('--output <file>', 'where to (default: stdout); it is there when it is whole')
    .addHelpText(
      'after',
      '\nExample:  ascribe export charges --all --from 2026-11-01 --to 2026-12-01 --format focus --invoiced --output november.csv',
    )
    .action((options: ChargesOptions, command: Command) => exportCharges(command, options, surroundings))
  root
    .command('focus-metadata')
    .description('version and columns of the FOCUS format, as JSON')
    .action((_options: unknown, command: Command) => contextOf(command, surroundings).out.value(focusMetadata()))
}

async function exportCharges(command: Command, options: ChargesOptions, surroundings: Surroundings): Promise<void> {
  const context = contextOf(command, surroundings)
  const { org, all, format, invoiced, output } = options
  if ((org === undefined) === (all !== true)) throw new InputError('Cannot tell whose charges are meant: give --org ORG, or --all')
  if (format === 'events' && invoiced === true)
    throw new InputError('Cannot export records by invoice here', {
      hint: '`ascribe invoices records NUMBER --line N` gives those behind a line.',
    })
  await using ledger = await openSettledLedger(context, 'export')
  const organizationId = org === undefined ? undefined : (await organizationNamed(ledger.db, org)).id
  const text = textOfExport(ledger.db, options, organizationId)
  if (output === undefined) await writeText(surroundings.stdout, text)
  else await writeFileWhole(output, text)
}

function textOfExport(db: Database, options: ChargesOptions, organizationId: string | undefined): AsyncGenerator<string> {
  const { from, to, format, invoiced, provider, rawText = false } = options
  const whose = { from, to, ...(organizationId !== undefined && { organizationId }) }
  if (format === 'events') {
    return textOf(streamEvents(db, whose), { header: '', line: (found) => `${JSON.stringify(toEventJson(found))}\n` })
  }
  const rows = streamExportRows(db, { ...whose, select: invoiced === true ? 'invoiced' : format === 'focus' ? 'open' : 'all' })
  return format === 'csv'
    ? textOf(rows, { header: CHARGES_HEADER, line: (row: ExportRow) => chargesLine(row, { rawText }) })
    : textOf(rows, { header: FOCUS_HEADER, line: (row: ExportRow) => focusLine(row, { rawText, provider }) })
}

/** A file that is there is whole: a run that was cut short leaves what was there before. */
async function writeFileWhole(path: string, text: AsyncIterable<string>): Promise<void> {
  const part = `${path}.part`
  try {
    await pipeline(Readable.from(text), createWriteStream(part, { flush: true }))
    renameSync(part, path)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}
