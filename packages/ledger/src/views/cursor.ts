import { createHash } from 'node:crypto'

/** What a page was asked for: the operation, whose data, and everything that decides which rows come in which order. */
export type CursorScope = readonly (string | number | boolean | readonly string[] | undefined)[]

/** Longer than any of ours: two ids of a kilobyte, in base64. */
const LENGTH_MAX = 8192

/** 96 bits: it tells questions apart, it is no secret. */
function scopeDigest(scope: CursorScope): string {
  return createHash('sha256').update(JSON.stringify(scope)).digest('base64url').slice(0, 16)
}

/**
 * Makes the cursor of the page after a place. It is bound to its question, so that it cannot be used for another one by mistake. It grants
 * nothing: whoever reads on is checked as if there were none, and every statement names the organizations that it reads of (ADR 0053).
 */
export function cursorOf(scope: CursorScope, place: readonly string[]): string {
  return Buffer.from(JSON.stringify([scopeDigest(scope), ...place])).toString('base64url')
}

/** The place of a cursor; `undefined` when it is none, or of another question. */
export function placeOfCursor(scope: CursorScope, cursor: string): readonly string[] | undefined {
  if (cursor.length > LENGTH_MAX || !/^[\w-]+$/.test(cursor)) return undefined
  const text = Buffer.from(cursor, 'base64url').toString()
  // No text of PostgreSQL holds NUL; JSON's way to write one must not bring it there.
  if (text.includes('\\u0000')) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed) || !parsed.every((part) => typeof part === 'string')) return undefined
  const [digest, ...place] = parsed
  return digest === scopeDigest(scope) ? place : undefined
}
