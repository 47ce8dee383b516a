import type { Command } from 'commander'
import { AscribeError, InputError } from '@ascribe/kit'
import { formatInstant } from '@ascribe/units'
import { backOffUntil, readMintTrail } from '../cloud/read-mint-log.ts'
import type { OwnerTrail } from '../cloud/read-mint-log.ts'
import { contextOf } from '../command.ts'
import { writeList } from '../list-output.ts'
import type { Surroundings } from '../surroundings.ts'

/** The trail of tokens was changed by somebody else than us. */
class MintTrailChangedError extends AscribeError {
  override readonly code = 'MINT_TRAIL_CHANGED'
}

/** `ascribe owners inspect`. */
export function addOwnersInspect(owners: Command, surroundings: Surroundings): void {
  owners
    .command('inspect')
    .description('tokens minted and refused for each owner, and who is left alone for a while, from the trail in DIR/audit/mints.jsonl')
    .option('--owner <uuid>', 'one owner only')
    .addHelpText(
      'after',
      `
A refusal of which nobody is known, such as of an unknown address, is in the row without an owner. The trail is a chain: each line holds the
digest of the one before, and a line that was changed, put in or taken out makes this fail. It cannot tell lines cut off at the end, nor a
chain that somebody wrote anew: there is no key in it. Ship the file elsewhere if that matters.

Examples:  ascribe owners inspect
           ascribe owners inspect --owner 018f4d5e-7b6a-4c3d-8e9f-0a1b2c3d4e5f --json`,
    )
    .action(async ({ owner }: { readonly owner?: string }, command: Command) => {
      const { out, dir } = contextOf(command, surroundings)
      if (owner !== undefined && !UUID.test(owner))
        throw new InputError(`Cannot inspect owner ${JSON.stringify(owner)}: that is no id`, {
          hint: 'The trail has no e-mail addresses. `ascribe whoami --owner EMAIL` says the id.',
        })
      const path = dir.mintLog
      const { owners: found, torn, breaks } = await readMintTrail(path)
      const now = Date.now()
      const rows = owner === undefined ? found : found.filter((trail) => trail.owner === owner.toLowerCase())
      await writeList(out, rows, {
        columns: COLUMNS,
        row: (trail) => rowOf(trail, now),
        json: (trail) => jsonOf(trail, now),
      })
      if (torn > 0) out.note(`${torn} lines were cut off by a crash; what they were about had not been handed out.`)
      const [first, ...others] = breaks
      if (first === undefined) return
      const more = others.length === 0 ? '' : `, and ${others.length} others`
      throw new MintTrailChangedError(`Cannot vouch for ${path}: line ${first} does not follow the one before it${more}`)
    })
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const COLUMNS = [
  { title: 'owner' },
  { title: 'mints', align: 'right' },
  { title: 'found', align: 'right' },
  { title: 'refusals', align: 'right' },
  { title: 'last minted' },
  { title: 'last refused' },
  { title: 'because' },
  { title: 'left alone for', align: 'right' },
] as const

/** Seconds that a process which met the refusals still asks no more. */
function restSeconds(trail: OwnerTrail, now: number): number {
  return Math.max(0, Math.ceil(((backOffUntil(trail) ?? now) - now) / 1000))
}

function rowOf(trail: OwnerTrail, now: number): string[] {
  const rest = restSeconds(trail, now)
  return [
    trail.owner ?? '-',
    String(trail.mints),
    String(trail.discoveries),
    String(trail.refusals),
    trail.lastMintAt ?? '-',
    trail.lastRefusalAt ?? '-',
    trail.refusalsInARow > 0 ? (trail.lastReason ?? '-') : '-',
    rest === 0 ? '-' : `${rest} s`,
  ]
}

function jsonOf(trail: OwnerTrail, now: number): object {
  const until = backOffUntil(trail)
  return {
    owner: trail.owner ?? null,
    mints: trail.mints,
    discoveries: trail.discoveries,
    discarded: trail.discarded,
    refusals: trail.refusals,
    refusals_in_a_row: trail.refusalsInARow,
    last_minted_at: trail.lastMintAt ?? null,
    last_refused_at: trail.lastRefusalAt ?? null,
    last_reason: trail.lastReason ?? null,
    back_off_until: until === undefined || until <= now ? null : formatInstant(until),
    regions: trail.regions,
  }
}
