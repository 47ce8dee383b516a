/** Characters that move a cursor, colour or hide what follows, break a line, or turn the direction of reading. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** What somebody else wrote, for a terminal: on one line, with what cannot be seen written out (H-27). */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (each) => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`)
}
