import type { Command } from 'commander'
import { listQuarantine, replayQuarantine, streamEvents, tailEvents, toEventJson } from '@ascribe/ledger'
import type { EventFilter, LedgerRecord } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { countArgument, instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { organizationNamed } from '../find-organization.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import type { OpenLedger } from '../open-ledger.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'
import { addEventActs } from './events-acts.ts'
import { addEventImports } from './events-import.ts'

type ListOptions = {
  readonly org?: string
  readonly from?: number
  readonly to?: number
  readonly authId?: string
  readonly model?: string
  readonly limit?: number
  readonly all?: true
}

/** `ascribe events list|tail|quarantine|replay`, and what is done to records. */
export function configureEvents(root: Command, surroundings: Surroundings, finish: Finish): void {
  const events = root
  addList(events, surroundings)
  events
    .command('tail')
    .description('follow records as they are committed; Ctrl-C ends it')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'events', logger: context.logger })
      using interrupt = untilInterrupted()
      for await (const record of tailEvents(ledger.db, { signal: interrupt.signal })) print(context, record)
    })
  addQuarantine(events, surroundings)
  addEventImports(events, surroundings, finish)
  addEventActs(events, surroundings)
}

function addList(events: Command, surroundings: Surroundings): void {
  events
    .command('list')
    .description('every record that counts, oldest first, those of nobody included')
    .option('--org <id>', 'only of this organization, by id or name')
    .option('--from <instant>', 'admitted at or after', instantArgument)
    .option('--to <instant>', 'admitted before', instantArgument)
    .option('--auth-id <id>', 'only of this auth id')
    .option('--model <name>', 'only of this model')
    .option('--limit <count>', 'no more than this', countArgument)
    .option('--all', 'also records that count no longer, marked: voided, amended, of a backfill that was undone')
    .action(async (options: ListOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openSettledLedger(context, 'events')
      const filter = await filterOf(ledger, options)
      // A record goes out while the next is read: any number of them takes the same memory.
      for await (const record of streamEvents(ledger.db, filter)) print(context, record)
    })
}

async function filterOf(ledger: OpenLedger, { org, all, ...rest }: ListOptions): Promise<EventFilter> {
  return { ...rest, superseded: all === true, ...(org !== undefined && { organizationId: (await organizationNamed(ledger.db, org)).id }) }
}

function print({ out }: Context, record: LedgerRecord): void {
  // Programs read this through a pipe, with --json or without: a line for people is only for a terminal.
  if (out.json || !out.terminal) return out.value(toEventJson(record))
  const { startedAt, eventId, authId, model, modelAsked, outcome, provenance, promptTokens, completionTokens, api, meters } = record.record
  const counts = api === 'event' ? metersText(meters) : `${promptTokens ?? '?'} in, ${completionTokens ?? '?'} out`
  const mark = record.superseded === undefined ? '' : `  counts no longer: ${record.superseded.kind}`
  out.line(
    `${formatInstant(startedAt)}  ${eventId}  ${authId}  ${model ?? modelAsked ?? '–'}  ${counts}  ${outcome}${provenance === 'reported' ? '' : ` (${provenance})`}${mark}`,
  )
}

function metersText(meters: LedgerRecord['record']['meters']): string {
  return Object.entries(meters)
    .map(([name, quantity]) => `${quantity} ${name}`)
    .join(', ')
}

function addQuarantine(events: Command, surroundings: Surroundings): void {
  events
    .command('quarantine')
    .description('what was set aside because it cannot be a record, with the reason')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'events', logger: context.logger })
      let afterId = 0n
      for (;;) {
        const page = await listQuarantine(ledger.db, { afterId })
        if (page.length === 0) return
        for (const { id, eventId, writer, reason, sqlstate, payload, firstSeen } of page) {
          if (context.out.json)
            context.out.value({ event_id: eventId, writer, reason, sqlstate, first_seen: formatInstant(firstSeen), payload })
          else context.out.line(`${eventId}  ${formatInstant(firstSeen)}  ${reason}`)
          afterId = id
        }
      }
    })
  events
    .command('replay')
    .description('try what is in quarantine once more, after what refused it has been mended')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'events', logger: context.logger })
      const { replayed, refused } = await replayQuarantine(ledger.db)
      if (context.out.json) context.out.value({ replayed, refused })
      else context.out.line(`${replayed} became records, ${refused} were refused again`)
    })
}
