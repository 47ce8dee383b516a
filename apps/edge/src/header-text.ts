/**
 * Whether a text comes out of a header as it went in: no control character, which no header can hold, and no white space at its ends, which
 * is lost on the way, and makes one of two ids.
 */
export function isHeaderText(text: string): boolean {
  return text !== '' && text.isWellFormed() && !/\p{Cc}/u.test(text) && text.trim() === text
}
