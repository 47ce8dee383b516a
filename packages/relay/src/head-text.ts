/**
 * Whether a head says as many lines as it was made of: a value with a line break in it would add a field, or a whole message, of
 * somebody else's choosing. Characters beyond latin1 count too, since their low byte is what would be written.
 */
export function isHeadClean(text: string, lines: number): boolean {
  let controls = 0
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if ((code < 32 && code !== 9) || code > 255 || code === 127) controls += 1
  }
  // Each line's own CR and LF.
  return controls === lines * 2
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
