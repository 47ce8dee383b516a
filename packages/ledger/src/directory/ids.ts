import { LedgerInputError } from '../errors.ts'

/** The longest id of a platform that the directory holds, in bytes of UTF-8: an index entry holds no more than about 2700, and some have two. */
const ID_BYTES_MAX = 1024

/** Why a text cannot be an id of the directory; `undefined`: it can. */
export function idFault(id: string): string | undefined {
  if (id === '') return 'it is empty'
  if (id.includes('\0') || !id.isWellFormed()) return 'it holds NUL or half a character'
  return Buffer.byteLength(id) > ID_BYTES_MAX ? `it has more than ${ID_BYTES_MAX} bytes` : undefined
}

/** @throws {LedgerInputError} */
export function checkId(what: string, id: string): void {
  const fault = idFault(id)
  if (fault !== undefined) throw new LedgerInputError(`Cannot use the ${what}: ${fault}`)
}
