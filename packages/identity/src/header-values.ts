/**
 * Every value of a header, in order, from the list of names and values as it came over the wire. Never from an object of headers: there
 * somebody has joined or dropped the repeated ones already.
 */
export function headerValues(rawHeaders: readonly string[], lowerCaseName: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}
