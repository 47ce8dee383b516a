const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const ID_BYTES = 16
/** 26 characters carry 130 bits, two more than an id has. */
const LENGTH = 26
const SHAPE = /^[a-z2-7]{26}$/

/** An organization as part of a host name: 16 bytes of a UUID in base32 (RFC 4648 section 6), lower case, no padding, 26 characters. */
export function organization32(organizationId: string): string {
  const bytes = Buffer.from(organizationId.replaceAll('-', ''), 'hex')
  if (bytes.length !== ID_BYTES) throw new RangeError(`Cannot write ${organizationId} in base32: it is not a UUID`)
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      text += ALPHABET[(held >> (bits - 5)) & 31] ?? ''
      bits -= 5
    }
    held &= (1 << bits) - 1
  }
  return text + (ALPHABET[(held << (5 - bits)) & 31] ?? '')
}

/**
 * The organization behind 26 characters of a host name, or `undefined`. Only the form that {@link organization32} writes: the last
 * character has two bits to spare, so that each organization would have four names otherwise (R9).
 */
export function parseOrganization32(text: string): string | undefined {
  if (!SHAPE.test(text)) return undefined
  const bytes = Buffer.alloc(ID_BYTES)
  let bits = 0
  let held = 0
  let index = 0
  for (const character of text.slice(0, LENGTH)) {
    held = (held << 5) | ALPHABET.indexOf(character)
    bits += 5
    if (bits >= 8 && index < ID_BYTES) {
      bytes[index] = (held >> (bits - 8)) & 255
      index += 1
      bits -= 8
    }
    held &= (1 << bits) - 1
  }
  const hex = bytes.toString('hex')
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return organization32(id) === text ? id : undefined
}
