import { cursorOf, placeOfCursor } from '@ascribe/ledger/views'
import type { CursorScope } from '@ascribe/ledger/views'
import { Refusal } from '../errors.ts'

/** The place that a cursor names; `undefined` without one. @throws {Refusal} for one that is none, or of another question */
export function placeOrRefuse(scope: CursorScope, cursor: string | undefined): readonly string[] | undefined {
  if (cursor === undefined) return undefined
  const place = placeOfCursor(scope, cursor)
  if (place === undefined) throw badCursor()
  return place
}

export function badCursor(): Refusal {
  return new Refusal(
    'invalid_request',
    'Cannot use the query: cursor: is not one of this question. Ask for its first page, without a cursor.',
  )
}

/** The part of a reply that says where the next page begins. */
export function nextOf(scope: CursorScope, place: readonly string[] | undefined): { readonly nextCursor?: string } {
  return place === undefined ? {} : { nextCursor: cursorOf(scope, place) }
}
