import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { InputError, errorChain } from '@ascribe/kit'
import { amendIn, amendRecord, listRecordActs, previewAct, voidIn, voidRecords } from '@ascribe/ledger'
import type { Amendment, AmendOutcome } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { addActOptions, authorOf, counted, effectJson, printEffect } from '../act-output.ts'
import type { ActOptions } from '../act-output.ts'
import { countArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { openLedger, openSettledLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe events amend|void|acts`. */
export function addEventActs(events: Command, surroundings: Surroundings): void {
  addAmend(events, surroundings)
  addVoid(events, surroundings)
  addActs(events, surroundings)
}

function addAmend(events: Command, surroundings: Surroundings): void {
  const amend = events
    .command('amend')
    .argument('<event-id>', 'of the record')
    .description('put a record right: a new one counts in its place, and the first stays readable')
    .requiredOption('--set <field=value...>', 'a field as `events list --json` shows it, or meters.NAME; nothing after = takes it away')
  addActOptions(amend)
    .addHelpText(
      'after',
      '\nExample:  ascribe events amend 019ca8d7-2d00-7000-83e1-d581aee9cb51 --set meters.output_tokens=120 --reason "ticket 4711"',
    )
    .action(async (eventId: string, options: ActOptions & { readonly set: readonly string[] }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      const input = { ...authorOf(options, surroundings), eventId, change: amendmentOf(options.set) }
      await using ledger = await openSettledLedger(context, 'events')
      if (options.dryRun === true) {
        const { effect } = await previewAct(ledger.db, async (tx) => {
          const outcome = refuseSuperseded(eventId, await amendIn(tx, input))
          return { result: outcome, hours: outcome.hours }
        })
        if (out.json) return out.value({ event_id: eventId, ...effectJson(effect) })
        out.line(`${eventId} would be amended: ${options.set.join(' ')}`)
        return printEffect(out, effect)
      }
      const { actId, after } = refuseSuperseded(eventId, await amendRecord(ledger.db, input))
      if (out.json) out.value({ act_id: actId, event_id: eventId, replaced_by: after.eventId })
      else out.line(`${eventId} is amended: ${after.eventId} counts in its place`)
    })
}

type Amended = Extract<AmendOutcome, { readonly kind: 'amended' }>

function refuseSuperseded(eventId: string, outcome: AmendOutcome): Amended {
  if (outcome.kind === 'amended') return outcome
  const { replacementEventId } = outcome
  throw new InputError(
    `Cannot amend ${eventId}: it counts no longer, by act ${outcome.actId}`,
    replacementEventId === undefined ? {} : { hint: `Amend the record that counts in its place: ${replacementEventId}.` },
  )
}

const TEXTS: Readonly<
  Record<
    string,
    'authId' | 'userId' | 'groupId' | 'claimedOrganizationId' | 'resourceId' | 'resourceType' | 'model' | 'baseModel' | 'provenance'
  >
> = {
  auth_id: 'authId',
  user_id: 'userId',
  group_id: 'groupId',
  org_id: 'claimedOrganizationId',
  resource_id: 'resourceId',
  resource_type: 'resourceType',
  model: 'model',
  base_model: 'baseModel',
  provenance: 'provenance',
}
const COUNTS: Readonly<Record<string, 'promptTokens' | 'cachedTokens' | 'completionTokens'>> = {
  prompt_tokens: 'promptTokens',
  cached_tokens: 'cachedTokens',
  completion_tokens: 'completionTokens',
}
const METERS = 'meters.'

function amendmentOf(settings: readonly string[]): Amendment {
  const fields: Record<string, string | number | null> = {}
  const meters: Record<string, number> = {}
  for (const setting of settings) {
    const [name = '', ...rest] = setting.split('=')
    const value = rest.join('=')
    const [text, count] = [TEXTS[name], COUNTS[name]]
    if (rest.length === 0) throw new InputError(`Cannot amend: ${JSON.stringify(setting)} is not field=value`)
    else if (name.startsWith(METERS)) meters[name.slice(METERS.length)] = value === '' ? 0 : quantityOf(name, value)
    else if (text !== undefined) fields[text] = value
    else if (count !== undefined) fields[count] = value === '' ? null : quantityOf(name, value)
    else {
      throw new InputError(`Cannot amend ${name}: it is no field that can be put right`, {
        hint: `There are ${[...Object.keys(TEXTS), ...Object.keys(COUNTS)].join(', ')} and meters.NAME.`,
      })
    }
  }
  // The ledger checks what each of them may be.
  return { ...fields, ...(Object.keys(meters).length > 0 && { meters }) } as Amendment
}

function quantityOf(name: string, value: string): number {
  const quantity = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(quantity))
    throw new InputError(`Cannot amend ${name}: ${JSON.stringify(value)} is no whole number from 0 to 2^53 - 1`)
  return quantity
}

function addVoid(events: Command, surroundings: Surroundings): void {
  const voiding = events
    .command('void')
    .argument('[event-ids...]', 'of the records')
    .description('say that records count no longer; they stay readable')
    .option('--file <file>', 'more event ids: one a line, or events as `events list --json` prints them')
  addActOptions(voiding)
    .addHelpText('after', '\nExample:  ascribe events void 019ca8d7-2d00-7000-83e1-d581aee9cb51 --reason "load test" --dry-run')
    .action(async (named: readonly string[], options: ActOptions & { readonly file?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { out } = context
      const eventIds = [...named, ...(options.file === undefined ? [] : idsIn(options.file))]
      const input = { ...authorOf(options, surroundings), eventIds }
      await using ledger = await openSettledLedger(context, 'events')
      if (options.dryRun === true) {
        const { result, effect } = await previewAct(ledger.db, async (tx) => {
          const outcome = await voidIn(tx, input)
          return { result: outcome, hours: outcome.hours ?? [] }
        })
        if (out.json) return out.value({ voided: result.voided, already: result.already, ...effectJson(effect) })
        out.line(`${counted(result.voided.length, 'record')} would count no longer`)
        return printEffect(out, effect)
      }
      const { actId, voided, already } = await voidRecords(ledger.db, input)
      if (out.json) return out.value({ act_id: actId, voided, already })
      out.line(
        `${counted(voided.length, 'record')} ${voided.length === 1 ? 'counts' : 'count'} no longer${already.length > 0 ? `; ${already.length} did not before` : ''}`,
      )
    })
}

function idsIn(file: string): readonly string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(`Cannot read event ids from ${file}: ${errorChain(cause)}`)
  }
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '') return []
    return [trimmed.startsWith('{') ? idOfEvent(trimmed, `${file}:${index + 1}`) : trimmed]
  })
}

function idOfEvent(line: string, place: string): string {
  try {
    const { event_id: id } = JSON.parse(line) as { readonly event_id?: unknown }
    if (typeof id === 'string') return id
  } catch {
    // Said below, in one word for both.
  }
  throw new InputError(`Cannot read event ids: ${place} is neither an event id nor an event with one`)
}

function addActs(events: Command, surroundings: Surroundings): void {
  events
    .command('acts')
    .description('who did what to records, and why: backfills, amendments, voids; newest first')
    .option('--event-id <id>', 'only acts upon this record')
    .option('--limit <count>', 'no more than this', countArgument, 100)
    .action(async (options: { readonly eventId?: string; readonly limit: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'events', logger: context.logger })
      const acts = await listRecordActs(ledger.db, options)
      if (context.out.json) {
        return context.out.value(
          acts.map(({ id, kind, actor, reason, at, backfillName, brought, superseded }) => ({
            act_id: id,
            kind,
            at: formatInstant(at),
            actor,
            reason,
            backfill: backfillName,
            brought: Number(brought),
            superseded: Number(superseded),
          })),
        )
      }
      context.out.table(
        [
          { title: 'at' },
          { title: 'act' },
          { title: 'by' },
          { title: 'brought', align: 'right' },
          { title: 'superseded', align: 'right' },
          { title: 'reason' },
        ],
        acts.map(({ kind, actor, reason, at, backfillName, brought, superseded }) => [
          formatInstant(at),
          backfillName === undefined ? kind : `${kind} ${backfillName}`,
          actor,
          String(brought),
          String(superseded),
          reason,
        ]),
      )
    })
}
