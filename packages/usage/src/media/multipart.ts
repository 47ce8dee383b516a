import type { RequestScan } from '../request-scan.ts'
import { InvalidMedia, mediaFacts } from './media-asked.ts'
import type { MediaApi, MediaDraft } from './media-asked.ts'
import { partHead } from './part-head.ts'
import type { PartHead } from './part-head.ts'
import { wavMs } from './wav.ts'

/** Real forms have a dozen; more would only cost time. */
const PARTS_MAX = 128
/** A value that decides the bill: the longest are names of models. */
const VALUE_BYTES_MAX = 1024
/** RFC 2046 section 5.1.1. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

/**
 * Fields that a bill depends on. Each may be there once, in lower case and without a file name: which of two counts, and whether `Model` or
 * `model[]` is one of them, differs from parser to parser.
 */
const SINGLE: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_format',
  'n',
  'prompt',
  'response_format',
  'num_images',
  'num_images_per_prompt',
  'batch_size',
  'n_iter',
  'best_of',
])
const COUNTS_OF_ENGINES: ReadonlySet<string> = new Set(['num_images', 'num_images_per_prompt', 'batch_size', 'n_iter', 'best_of'])

const CRLF = Buffer.from('\r\n')
const CR = 0x0d
const LF = 0x0a
const DASH = 0x2d

type Part = { readonly head: PartHead; readonly start: number; readonly end: number }

/**
 * Reads a form (RFC 7578) on its bytes: files are looked for, not into, and nothing is copied but a few short values. A form that two parsers
 * could read in two ways is refused: text before or after the parts, lines that end in LF alone, the boundary in the middle of a line, parts
 * that are encoded, fields that come twice. Never throws.
 */
export function scanMultipart(body: Buffer, api: MediaApi, contentType: string | undefined): RequestScan {
  try {
    const draft: MediaDraft = { stream: 'absent', promptBytes: 0, media: {} }
    const seen = new Set<string>()
    for (const part of partsOf(body, boundaryOf(contentType))) readPart(body, part, { api, draft, seen })
    if (api === 'transcriptions' && draft.media.audioBytes === undefined)
      throw new InvalidMedia('"file" must be there: it is what is billed', 'file')
    if (api === 'images') draft.media.images ??= 1
    return mediaFacts(api, draft)
  } catch (cause) {
    if (!(cause instanceof InvalidMedia)) throw cause
    return { kind: 'invalid', message: cause.message, ...(cause.param !== undefined && { param: cause.param }) }
  }
}

function boundaryOf(contentType: string | undefined): string {
  const params = /^multipart\/form-data[\t ]*;(.*)$/i.exec(contentType ?? '')?.[1]
  if (params === undefined) throw new InvalidMedia('The request must have one Content-Type, multipart/form-data with a boundary')
  let boundary: string | undefined
  let rest = params
  while (rest.trim() !== '') {
    const found = /^[\t ]*([\w-]+)=(?:"([^"\\]*)"|([^\s";,\\]+))[\t ]*(?:;|$)/.exec(rest)
    const name = found?.[1]?.toLowerCase()
    const value = found?.[2] ?? found?.[3] ?? ''
    if (name === 'boundary' && boundary === undefined && BOUNDARY.test(value)) boundary = value
    else if (name !== 'charset' || value.toLowerCase() !== 'utf-8')
      throw new InvalidMedia('The Content-Type is no plain multipart/form-data with one boundary')
    rest = rest.slice(found?.[0].length ?? rest.length)
  }
  if (boundary === undefined) throw new InvalidMedia('The Content-Type has no boundary')
  return boundary
}

function* partsOf(body: Buffer, boundary: string): Generator<Part> {
  const delimiter = Buffer.from(`--${boundary}`, 'latin1')
  if (!body.subarray(0, delimiter.length).equals(delimiter)) throw new InvalidMedia('The form does not begin with its boundary')
  let at = delimiter.length
  for (let parts = 0; ; parts += 1) {
    if (body[at] === DASH && body[at + 1] === DASH) {
      const end = at + 2
      if (end !== body.length && !(end + 2 === body.length && isCrLf(body, end)))
        throw new InvalidMedia('The form goes on after its last boundary')
      return
    }
    if (!isCrLf(body, at)) throw new InvalidMedia('A boundary of the form is not the whole of its line')
    if (parts === PARTS_MAX) throw new InvalidMedia(`The form has more than ${PARTS_MAX} parts`)
    const head = partHead(body, at + 2)
    const next = body.indexOf(delimiter, head.end)
    if (next < 0) throw new InvalidMedia('The form ends before its last boundary')
    if (next < head.end + CRLF.length || !isCrLf(body, next - CRLF.length))
      throw new InvalidMedia('The boundary stands in the middle of a line of the form')
    yield { head, start: head.end, end: next - CRLF.length }
    at = next + delimiter.length
  }
}

function isCrLf(body: Buffer, at: number): boolean {
  return body[at] === CR && body[at + 1] === LF
}

type Reading = { readonly api: MediaApi; readonly draft: MediaDraft; readonly seen: Set<string> }

function readPart(body: Buffer, { head, start, end }: Part, { api, draft, seen }: Reading): void {
  const { name, isFile } = head
  const plain = name.toLowerCase().replace(/\[\d*\]$/, '')
  const { media } = draft
  if (api === 'transcriptions' && plain === 'file') {
    if (name !== 'file') throw new InvalidMedia(`The form's field "${name}" must be called "file"`, 'file')
    if (media.audioBytes !== undefined)
      throw new InvalidMedia('The form has "file" more than once; parsers disagree on which one counts', 'file')
    media.audioBytes = end - start
    const ms = wavMs(body, start, end)
    if (ms !== undefined) media.audioMs = ms
    return
  }
  if (api === 'images' && plain === 'image') {
    media.inputImages = (media.inputImages ?? 0) + 1
    return
  }
  if (!SINGLE.has(plain)) return
  if (name !== plain) throw new InvalidMedia(`The form's field "${name}" must be called "${plain}"`, plain)
  if (isFile) throw new InvalidMedia(`The form's field "${name}" must be text, not a file`, name)
  if (seen.has(name)) throw new InvalidMedia(`The form has "${name}" more than once; parsers disagree on which one counts`, name)
  seen.add(name)
  if (name !== 'n') readField(name, body.subarray(start, end), draft)
  else if (api === 'images') media.images = countOf(body.toString('utf8', start, Math.min(end, start + VALUE_BYTES_MAX)))
}

function readField(name: string, bytes: Buffer, draft: MediaDraft): void {
  const { media } = draft
  if (name === 'prompt') {
    draft.promptBytes += bytes.length
    return
  }
  if (bytes.length > VALUE_BYTES_MAX) throw new InvalidMedia(`The form's field "${name}" has more than ${VALUE_BYTES_MAX} bytes`, name)
  const value = bytes.toString()
  switch (name) {
    case 'model':
      if (value !== '') media.model = value
      return
    case 'stream':
      if (draft.stream !== 'true') draft.stream = /^(?:false|0|)$/i.test(value.trim()) ? 'false' : 'true'
      return
    case 'stream_format':
      if (value === 'sse') draft.stream = 'true'
      return
    default:
      if (COUNTS_OF_ENGINES.has(name)) draft.unboundedBy = name
  }
}

function countOf(value: string): number {
  const count = value.trim() === '' ? 1 : Number(value)
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidMedia('"n" must be an integer, 1 or more', 'n')
  return count
}
