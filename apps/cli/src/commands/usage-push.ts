import type { Command } from 'commander'
import { AscribeError, errorChain } from '@ascribe/kit'
import { hasCharges, readPushHour, recordPush } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant, hourOf } from '@ascribe/units'
import { durationArgument, instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import { managerOf, pushHour } from '../manager.ts'
import type { Manager, Wait } from '../manager.ts'
import { openSettledLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

/** There is nothing that could be pushed. */
class NothingToPushError extends AscribeError {
  override readonly code = 'PUSH_NOTHING_CHARGED'
}

const HOUR_MS = 3_600_000
const TRAILING_HOURS = 24
/** As the reference: 90 days. */
const SPAN_HOURS_MAX = 2160

type PushCommand = {
  readonly since?: number
  readonly until?: number
  readonly settle: number
  readonly currency: string
  readonly allowRemoval?: true
}

/** `ascribe usage push`. */
export function addPush(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .command('push')
    .description('tell a central manager the charges of whole hours; an hour that is not complete is withheld')
    .option('--since <instant>', `a full hour (default: ${TRAILING_HOURS} hours before --until)`, instantArgument)
    .option('--until <instant>', 'a full hour, not included (default: the last one that is over)', instantArgument)
    .option('--settle <duration>', 'how long an hour must be over', durationArgument, 10 * 60_000)
    .option('--currency <code>', 'only organizations billed in it: the manager knows no other', 'USD')
    .option('--allow-removal', 'send hours that have lost rows: the manager forgets them')
    .addHelpText(
      'after',
      `
The manager deletes what a post lacks, so a post is always the whole hour. Withheld: hours that are not over, wait to be rated, hold
usage of nobody, are priced by the total of the month, or have lost rows that were sent before. Exit code 1 if any was withheld or refused.

Example:  ascribe usage push --since 2026-11-01 --until 2026-11-02`,
    )
    .action(async (options: PushCommand, command: Command) => {
      const context = contextOf(command, surroundings)
      const manager = managerOf(context)
      const { since, until } = windowOf(command, options)
      await using ledger = await openSettledLedger(context, 'usage')
      const results = await pushHours(ledger.db, { manager, since, until, options })
      if (results.some(({ outcome }) => outcome !== 'pushed')) finish(EXIT.failed)
      if (context.out.json) return context.out.value(results)
      for (const { hour, outcome, rollups, reason } of results) {
        context.out.line(
          `${hour}  ${outcome}${rollups === undefined ? '' : `  ${rollups} rows`}${reason === undefined ? '' : `  ${reason}`}`,
        )
      }
    })
}

function windowOf(command: Command, { since, until }: PushCommand): { readonly since: number; readonly until: number } {
  const now = hourOf(Date.now()).start
  const end = until ?? now
  const start = since ?? end - TRAILING_HOURS * HOUR_MS
  if (hourOf(start).start !== start || hourOf(end).start !== end) command.error('error: --since and --until are full hours, UTC')
  if (start >= end) command.error('error: --since is not before --until')
  if (end > now) command.error('error: --until lies in the future')
  if (end - start > SPAN_HOURS_MAX * HOUR_MS) command.error(`error: more than ${SPAN_HOURS_MAX} hours at once`)
  return { since: start, until: end }
}

export type PushResult = {
  readonly hour: string
  readonly outcome: 'pushed' | 'withheld' | 'failed'
  readonly rollups?: number
  /** Why it was withheld, or what went wrong. */
  readonly reason?: string
}

export type PushHours = {
  readonly manager: Manager
  readonly since: number
  readonly until: number
  readonly options: Pick<PushCommand, 'settle' | 'currency' | 'allowRemoval'>
  readonly wait?: Wait
}

/** Pushes hour by hour; one that fails does not keep the others back. @throws {NothingToPushError} for a ledger without charges */
export async function pushHours(db: Database, { manager, since, until, options, wait }: PushHours): Promise<readonly PushResult[]> {
  if (!(await hasCharges(db))) {
    throw new NothingToPushError('Cannot push usage: the ledger has no charges at all, and the manager would delete what it has')
  }
  const results: PushResult[] = []
  for (let hour = since; hour < until; hour += HOUR_MS) {
    const found = await readPushHour(db, {
      hour,
      manager: manager.url,
      currency: options.currency,
      settleMs: options.settle,
      allowRemoval: options.allowRemoval === true,
    })
    results.push(
      found.kind === 'withheld'
        ? { hour: formatInstant(hour), outcome: 'withheld', reason: found.reason }
        : await send(found.rollups, hour),
    )
  }
  return results

  async function send(rollups: Parameters<typeof pushHour>[2], hour: number): Promise<PushResult> {
    try {
      await pushHour(manager, hour, rollups, wait)
    } catch (error) {
      return { hour: formatInstant(hour), outcome: 'failed', reason: errorChain(error) }
    }
    await recordPush(db, { manager: manager.url, hour, rollups })
    return { hour: formatInstant(hour), outcome: 'pushed', rollups: rollups.length }
  }
}
