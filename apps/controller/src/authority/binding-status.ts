import type { CloudSigmaOwnerBinding, OwnerBindingStatus } from '@ascribe/kinds'
import { mergeConditions } from '../conditions.ts'
import type { Wanted } from '../conditions.ts'
import type { BindingNote } from './binding-notes.ts'
import type { Standing } from './standing.ts'

/** How old `lastMint` may be: tokens are renewed every few minutes, and each write wakes whoever watches. */
export const STATUS_SLACK_MS = 60_000

/**
 * What the status of a binding should be, as a merge patch; `undefined` when it is so already. A null removes.
 */
export function statusPatch(
  binding: CloudSigmaOwnerBinding,
  {
    standing,
    note,
    users,
    now,
  }: { readonly standing: Standing; readonly note: BindingNote | undefined; readonly users: number; readonly now: number },
): { readonly status: object } | undefined {
  const { status = {}, metadata } = binding
  const isDeleting = metadata.deletionTimestamp !== undefined
  const ready = mergeConditions(status.conditions, [readyCondition(standing, { isDeleting, users })], {
    now,
    generation: metadata.generation,
  })
  const patch = { ...noteFields(status, note), ...(ready !== undefined && { conditions: ready, observedGeneration: metadata.generation }) }
  return Object.keys(patch).length === 0 ? undefined : { status: patch }
}

function noteFields(status: OwnerBindingStatus, note: BindingNote | undefined): Record<string, string | null> {
  const fields: Record<string, string | null> = {}
  if (note === undefined) return fields
  const put = (name: 'verifiedAt' | 'profileUUID' | 'lastMint' | 'lastError', value: string): void => {
    if (status[name] !== value) fields[name] = value
  }
  const hasNews = note.error === undefined ? status.lastError !== undefined : note.error !== status.lastError
  if (note.profileUUID !== undefined) put('profileUUID', note.profileUUID)
  if (note.verifiedAt !== undefined) put('verifiedAt', new Date(note.verifiedAt).toISOString())
  if (note.mintedAt !== undefined && (hasNews || note.mintedAt - (Date.parse(status.lastMint ?? '') || 0) >= STATUS_SLACK_MS))
    put('lastMint', new Date(note.mintedAt).toISOString())
  if (hasNews) fields['lastError'] = note.error ?? null
  return fields
}

function readyCondition(standing: Standing, { isDeleting, users }: { readonly isDeleting: boolean; readonly users: number }): Wanted {
  const type = 'Ready'
  if (isDeleting)
    return {
      type,
      status: 'False',
      reason: 'OwnerNotAuthorized',
      message: `revoked; it goes when the ${users} clusters and machines that were made by it are gone`,
    }
  if (standing.ok)
    return { type, status: 'True', reason: 'Authorized', message: 'machines of this namespace may be made in the owner’s account' }
  const { reason, message, retryAfterMs } = standing
  return { type, status: retryAfterMs === undefined ? 'False' : 'Unknown', reason, message }
}
