import { InvalidMedia } from './media-asked.ts'

/** What the head of a part says. `end` is the offset of its content. */
export type PartHead = { readonly name: string; readonly isFile: boolean; readonly end: number }

/** Names of files are in it, and little else. */
const HEAD_BYTES_MAX = 8 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const PARAM = /^;[\t ]*([A-Za-z*][\w*-]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,\\]+))[\t ]*/

/** Reads the head of the part at `start` (RFC 7578 section 4.2). @throws {InvalidMedia} */
export function partHead(body: Buffer, start: number): PartHead {
  const found = body.subarray(start, start + HEAD_BYTES_MAX).indexOf(HEAD_END)
  if (found < 0) throw new InvalidMedia(`A part of the form has no head of at most ${HEAD_BYTES_MAX} bytes`)
  // Bytes above ASCII stand in names of files only.
  const lines = body.toString('latin1', start, start + found).split('\r\n')
  let disposition: { readonly name: string; readonly isFile: boolean } | undefined
  for (const line of lines) {
    const field = /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*([^\r\n\0]*)$/.exec(line)
    if (field === null) throw new InvalidMedia('A part of the form has a head that is no list of fields')
    const [, name = '', value = ''] = field
    switch (name.toLowerCase()) {
      case 'content-disposition':
        if (disposition !== undefined) throw new InvalidMedia('A part of the form has more than one Content-Disposition')
        disposition = dispositionOf(value)
        break
      case 'content-transfer-encoding':
        if (!/^(?:binary|8bit|7bit)[\t ]*$/i.test(value)) throw new InvalidMedia('A part of the form is encoded: send it as it is')
        break
      case 'content-type':
        // A form in a form, or text in another character set, is read by some parsers and not by others.
        if (/^multipart\/|charset[\t ]*=[\t ]*"?(?!utf-8|us-ascii)/i.test(value))
          throw new InvalidMedia('A part of the form has a Content-Type that parsers disagree on')
        break
      default:
    }
  }
  if (disposition === undefined) throw new InvalidMedia('A part of the form has no Content-Disposition')
  return { ...disposition, end: start + found + HEAD_END.length }
}

/** `form-data; name="…"`, with `filename` for a file. Names are compared as bytes: no escapes, no other character set. */
function dispositionOf(value: string): { readonly name: string; readonly isFile: boolean } {
  if (!/^form-data[\t ]*;/i.test(value)) throw new InvalidMedia('A part of the form is no form-data')
  const params = new Map<string, string>()
  let rest = value.slice(value.indexOf(';'))
  while (rest !== '') {
    const found = PARAM.exec(rest)
    const name = found?.[1]?.toLowerCase()
    if (found === null || name === undefined || params.has(name))
      throw new InvalidMedia('A part of the form has a Content-Disposition that parsers disagree on')
    params.set(name, found[2] ?? found[3] ?? '')
    rest = rest.slice(found[0].length)
  }
  const name = params.get('name')
  if (name === undefined || name.includes('\\') || params.has('name*')) throw new InvalidMedia('A part of the form has no plain name')
  if (name === '_charset_') throw new InvalidMedia('The form names a character set: send it in UTF-8')
  return { name, isFile: params.has('filename') || params.has('filename*') }
}
