/**
 * The first byte of a reply that says what it is: white space and a byte order mark do not. -1: none has come yet. A JSON object begins with a
 * brace, and a stream of events with the name of a field, or a comment; neither can be taken for the other, whatever a content type says.
 */
export function firstByte(bytes: Buffer): number {
  for (const byte of bytes) if (byte > 0x20 && byte < 0x80) return byte
  return -1
}

export function beginsObject(byte: number): boolean {
  return byte === 0x7b
}

/** First letters of `data`, `event`, `id`, `retry`, and the colon of a comment (WHATWG HTML section 9.2.6). */
const FIELDS: ReadonlySet<number> = new Set([0x64, 0x65, 0x69, 0x72, 0x3a])

export function beginsEvent(byte: number): boolean {
  return FIELDS.has(byte)
}
