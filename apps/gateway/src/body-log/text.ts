const decoder = new TextDecoder('utf-8')

/** Whether a body of this type is text that people can read. `''`, nothing said, is taken for text. */
export function isText(contentType: string): boolean {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return type === '' || type.startsWith('text/') || /[/+](?:json|xml|x-ndjson|yaml|x-www-form-urlencoded)$/.test(type)
}

/** Bytes as text: what is no UTF-8, and NUL, becomes U+FFFD. The end may be in the middle of a character, which is then left out. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes.subarray(0, wholeCharacters(bytes))).replaceAll('\0', '\u{FFFD}')
}

/** The longest beginning of the text that has at most so many bytes in UTF-8. */
export function beginningOf(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text)
  return bytes.length <= bytesMax ? text : decoder.decode(bytes.subarray(0, wholeCharacters(bytes.subarray(0, bytesMax))))
}

/** How many bytes are left when a last character that is not whole is taken off. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
