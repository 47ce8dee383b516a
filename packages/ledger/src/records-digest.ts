import { createHash } from 'node:crypto'

/**
 * Which records something covers, whatever their order: the exclusive or of the MD5 of the text of each one's event id, as a number of 128
 * bits. Two sets of records have one digest only by accident; it is no protection against somebody who makes ids, which only we do.
 */
export type RecordsDigest = bigint

const BITS = 128

/** SQL of the digest of the rows `r` of a group. MD5, since nothing else in the server is as cheap; a hash at all, since ids resemble each other. */
export const RECORDS_DIGEST_SQL = "bit_xor(('x' || md5(r.event_id::text))::bit(128))::text"

/** The digest of one record. Sets are combined with `^`. */
export function digestOfRecord(eventId: string): RecordsDigest {
  return BigInt(`0x${createHash('md5').update(eventId.toLowerCase()).digest('hex')}`)
}

/** Reads the text of a `bit(128)`. */
export function digestOfBits(bits: string): RecordsDigest {
  return BigInt(`0b${bits}`)
}

/** The text of a `bit(128)`. */
export function bitsOfDigest(digest: RecordsDigest): string {
  return digest.toString(2).padStart(BITS, '0')
}
