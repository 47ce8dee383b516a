import { readFileSync, readdirSync } from 'node:fs'
import { createReplyReader, scanRequest, settle, spliceIncludeUsage } from '@ascribe/usage'
import type { Api, Ending, ReplyReader, RequestFacts, Settlement } from '@ascribe/usage'

/** One exchange with a real engine, as it was recorded; the reply's body without its chunk framing. */
export type Recorded = {
  readonly name: string
  readonly api: Api
  readonly request: Buffer
  readonly status: number
  readonly contentType: string | undefined
  readonly body: Buffer
}

/** Stands in for a request that was recorded without its end. */
const CUT_REQUEST = '{"model":"tiny","stream":true,"prompt":"the the the","messages":[]}'

const API_OF: Readonly<Record<string, Api>> = {
  '/v1/chat/completions': 'chat',
  '/v1/embeddings': 'embeddings',
  '/v1/messages': 'messages',
  '/v1/responses': 'responses',
}

const FOLDER = new URL('recorded/', import.meta.url)

export function recordedNames(): string[] {
  return readdirSync(FOLDER)
    .map((file) => file.replace('.txt', ''))
    .toSorted()
}

export function readRecorded(name: string): Recorded {
  const text = readFileSync(new URL(`${name}.txt`, FOLDER))
  const [target = '', request = ''] = text.toString('latin1').split('\n', 2)
  const replyStart = target.length + request.length + 2
  const bodyStart = text.indexOf('\r\n\r\n', replyStart) + 4
  const [statusLine = '', ...fields] = text.toString('latin1', replyStart, bodyStart).split('\r\n')
  const headers = new Map(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]),
  )
  const cut = text.indexOf('\n--- connection closed', bodyStart)
  const raw = text.subarray(bodyStart, cut < 0 ? text.length : cut)
  const length = headers.get('content-length')
  return {
    name,
    api: API_OF[target.slice(target.indexOf('/v1/'))] ?? 'completions',
    request: Buffer.from(request.endsWith('}') ? request.slice(2) : CUT_REQUEST),
    status: Number(statusLine.split(' ')[1]),
    contentType: headers.get('content-type'),
    body: headers.has('transfer-encoding') ? unchunked(raw) : raw.subarray(0, Number(length)),
  }
}

/** Takes off the chunked framing; a body that was cut ends where it was cut. */
function unchunked(raw: Buffer): Buffer {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at)
    const size = lineEnd < 0 ? 0 : Number.parseInt(raw.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) return Buffer.concat(chunks)
    chunks.push(raw.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

export function factsOf(body: Buffer | string, api: Api): RequestFacts {
  const facts = scanRequest(Buffer.from(body), api)
  if (facts.kind === 'invalid') throw new Error(facts.message)
  return facts
}

/** What came out of a reader: the bytes for now, those for after the settlement, and what was settled. */
export type Outcome = { readonly now: Buffer; readonly later: Buffer; readonly reader: ReplyReader; readonly settlement: Settlement }

export const ENDING: Ending = { outcome: 'completed', endedAt: 1, status: 200, multipleChoices: 'count' }

export type Run = {
  readonly api: Api
  readonly request?: string | Buffer
  readonly contentType?: string
  readonly injected?: boolean
  readonly chunks: readonly (Buffer | string)[]
  /** The reply broke off. */
  readonly broken?: boolean
  readonly ending?: Partial<Ending>
}

const DEFAULT_REQUEST = '{"model":"m","stream":true,"messages":[{"role":"user","content":"hello there"}]}'

export function run({ api, request = DEFAULT_REQUEST, contentType = 'text/event-stream', injected, chunks, broken, ending }: Run): Outcome {
  const body = Buffer.from(request)
  const facts = factsOf(body, api)
  const reader = createReplyReader({
    api,
    asked: facts,
    streamedRequest: facts.streams,
    injected: injected ?? spliceIncludeUsage(body, facts).injected,
    contentType,
  })
  const now: Buffer[] = []
  const later: Buffer[] = []
  for (const chunk of chunks) {
    const step = reader.push(Buffer.from(chunk))
    now.push(...step.now)
    later.push(...step.afterSettlement)
  }
  later.push(...reader.end(broken === true ? 'broken' : 'whole').afterSettlement)
  return { now: Buffer.concat(now), later: Buffer.concat(later), reader, settlement: settle(reader.observation, { ...ENDING, ...ending }) }
}

/** The bytes, cut at the given offsets. */
export function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const ends = [...new Set([...offsets.map((offset) => offset % (bytes.length + 1)), bytes.length])].toSorted((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

export const jsonRun = (api: Api, body: string | Buffer, more: Partial<Run> = {}): Outcome =>
  run({ api, contentType: 'application/json', request: '{"model":"m"}', chunks: [body], ...more })
