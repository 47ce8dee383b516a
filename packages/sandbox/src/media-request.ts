import { RefusalError } from './errors.ts'
import { type Faults, NO_FAULTS, parseFaults } from './faults.ts'
import { hashText } from './tokens.ts'

/** What the engine does beside text, by path. */
export type MediaKind = 'speech' | 'transcription' | 'images' | 'rerank' | 'count'

const KINDS: Readonly<Record<string, MediaKind>> = {
  '/v1/audio/speech': 'speech',
  '/v1/audio/transcriptions': 'transcription',
  '/v1/audio/translations': 'transcription',
  '/v1/images/generations': 'images',
  '/v1/images/edits': 'images',
  '/v1/images/variations': 'images',
  '/v1/rerank': 'rerank',
  '/v2/rerank': 'rerank',
  '/rerank': 'rerank',
  '/v1/messages/count_tokens': 'count',
  '/v1/responses/input_tokens': 'count',
}

export function mediaKindOf(path: string): MediaKind | undefined {
  return KINDS[path]
}

export type MediaRequest = {
  readonly kind: MediaKind
  readonly path: string
  /** JSON, or the text fields of a form. */
  readonly fields: Readonly<Record<string, unknown>>
  /** Of a form. */
  readonly files: readonly Buffer[]
  readonly model: string
  readonly stream: boolean
  readonly faults: Faults
  readonly seed: number
}

/** Reads a request as an engine does: a form by its content type, with the runtime's own parser, all else as JSON. @throws {RefusalError} */
export async function parseMediaRequest(
  kind: MediaKind,
  request: { readonly path: string; readonly body: Buffer; readonly contentType: string | undefined },
  faults: Faults,
): Promise<MediaRequest> {
  const { path, body, contentType } = request
  const isForm = contentType?.toLowerCase().startsWith('multipart/form-data') === true
  const { fields, files } = isForm ? await readForm(body, contentType) : { fields: readJson(body), files: [] }
  const { sandbox, stream, stream_format: format, model } = fields
  const own = parseFaults(typeof sandbox === 'string' ? JSON.parse(sandbox) : sandbox)
  return {
    kind,
    path,
    fields,
    files,
    model: typeof model === 'string' ? model : 'sandbox-media',
    stream: stream === true || stream === 'true' || format === 'sse',
    faults: own === NO_FAULTS ? faults : { ...faults, ...own },
    seed: hashText(path),
  }
}

function readJson(body: Buffer): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(body.toString())
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>
  throw new RefusalError(400, 'The body must be an object.')
}

async function readForm(
  body: Buffer,
  contentType: string,
): Promise<{ readonly fields: Readonly<Record<string, unknown>>; readonly files: readonly Buffer[] }> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData().catch((cause: unknown) => {
    throw new RefusalError(400, `The form cannot be read: ${String(cause)}`)
  })
  const fields: Record<string, unknown> = {}
  const files: Promise<Buffer>[] = []
  for (const [name, value] of form) {
    if (typeof value === 'string') fields[name] = value
    else files.push(value.arrayBuffer().then((bytes) => Buffer.from(bytes)))
  }
  return { fields, files: await Promise.all(files) }
}
