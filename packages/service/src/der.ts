// The few pieces of DER (X.690) that a self-signed certificate needs.

const INTEGER = 0x02
const BIT_STRING = 0x03
const NULL = 0x05
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const SEQUENCE = 0x30
const SET = 0x31

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body])
  const digits = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, body])
}

export const sequence = (...parts: readonly Buffer[]): Buffer => tagged(SEQUENCE, ...parts)
export const set = (...parts: readonly Buffer[]): Buffer => tagged(SET, ...parts)
export const nothing = (): Buffer => tagged(NULL)
export const text = (value: string): Buffer => tagged(UTF8_STRING, Buffer.from(value))
/** An integer of 0 or more, in as few bytes as it needs (X.690 section 8.3.2) and never with a set top bit. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16)
  const digits = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return tagged(INTEGER, (digits[0] ?? 0) < 0x80 ? digits : Buffer.concat([Buffer.from([0]), digits]))
}
export const bits = (bytes: Buffer): Buffer => tagged(BIT_STRING, Buffer.from([0]), bytes)
/** An object identifier by its encoded content. */
export const objectId = (content: readonly number[]): Buffer => tagged(OBJECT_ID, Buffer.from(content))

/** `YYMMDDhhmmssZ`. Good until 2049. */
export function utcTime(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '')
  return tagged(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`))
}
