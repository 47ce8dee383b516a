import type { Observed, Step } from './types.ts'

/** How long to leave alone what only a person can mend, in case nobody tells us. */
export const SLOW_MS = 300_000

/** States of a drive that end by themselves. */
export const BUSY_DRIVE: ReadonlySet<string> = new Set(['creating', 'cloning_dst', 'cloning_src', 'copying', 'resizing', 'uploading'])

/** A machine with a token whose account cannot be told is nobody's: least of all is an account chosen again. */
export function brokenPin({ machine }: Pick<Observed, 'machine'>): { readonly reason: string; readonly message: string } | undefined {
  if (machine.pin === undefined || machine.pin === 'unreadable')
    return {
      reason: 'InvalidSpec',
      message: `The annotation ascribe.dev/account ${machine.pin === undefined ? 'is missing' : 'cannot be read'}: restore it, as it was pinned`,
    }
  if (machine.quarantined === undefined) return undefined
  return {
    reason: 'OwnerMismatch',
    message: `${machine.quarantined} was made for another account than the pinned owner's. Nothing more is made: see docs/runbooks/owner-mismatch.md`,
  }
}

/** Looks, and looks again after the grace, before anything is made with a token that may have been used. */
export function planSearch({ doubt, search }: Observed): Step {
  if (search === undefined && (doubt.is === 'unsearched' || (doubt.is === 'empty' && doubt.retryAfterMs <= 0))) return { do: 'search' }
  return {
    do: 'hold',
    reason: 'WaitingForList',
    message:
      'Something may have been made before a restart or a broken connection: lists are looked at again after the grace, then it goes on',
    retryAfterMs: doubt.is === 'empty' ? Math.max(doubt.retryAfterMs, 1) : 1000,
  }
}
