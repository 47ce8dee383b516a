import type { RawHeaders } from '../types.ts'

/** Anything but what a field may hold: a line break in a value would add a field, or a whole message, of somebody else's choosing. */
const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/
/** Fields that were left out one after the other, before what follows counts as unknown and is looked at. */
const SKIPPED_MAX = 32

/**
 * Whether a head made of `fields` says as many lines as it has fields. `known` came out of a head that was read here, so
 * that each field in it is good: what was taken over from there, in its order, costs a comparison instead of a look at every character.
 */
export function areFieldsClean(fields: RawHeaders, known: RawHeaders): boolean {
  let next = 0
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const value = fields[i + 1] ?? ''
    const end = Math.min(known.length, next + SKIPPED_MAX)
    let at = next
    while (at < end && (known[at] !== name || known[at + 1] !== value)) at += 2
    if (at < end) next = at + 2
    else if (UNSAFE.test(name) || UNSAFE.test(value)) return false
  }
  return true
}

/** Text, bytes and text in one buffer: one system call for all of them. */
export function joined(parts: { readonly before: string; readonly chunk: Uint8Array; readonly after: string }): Buffer {
  const { before, chunk, after } = parts
  const bytes = Buffer.allocUnsafe(before.length + chunk.length + after.length)
  if (before !== '') bytes.write(before, 0, 'latin1')
  bytes.set(chunk, before.length)
  if (after !== '') bytes.write(after, before.length + chunk.length, 'latin1')
  return bytes
}
