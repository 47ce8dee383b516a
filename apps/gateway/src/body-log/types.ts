/** Half of an exchange as it is kept. */
export type KeptBody = {
  /** As it was said; `''`: nothing was said. */
  readonly contentType: string
  /** How long it was on the wire. */
  readonly bytes: number
  /** Redacted, at most as long as the log keeps; `undefined`: it is no text, or compressed. */
  readonly text: string | undefined
  /** The text is only its beginning. */
  readonly isCut: boolean
  /** The text was put together from the events of a stream, and is not the bytes that passed. */
  readonly isAssembled: boolean
}

/** One exchange of the body log. */
export type BodyEntry = {
  readonly eventId: string
  /** When the request was admitted. UTC epoch milliseconds. */
  readonly at: number
  readonly authId: string
  readonly groupId?: string
  readonly model?: string
  readonly outcome: string
  readonly status?: number
  readonly request: KeptBody
  readonly reply: KeptBody
}

/** What is taken out of texts before they are kept. */
export type Redaction = 'secrets' | 'emails' | 'cards'

export const REDACTIONS: readonly Redaction[] = ['secrets', 'emails', 'cards']

export type BodyLogSettings = {
  /** Bytes of a body that are kept, at most; of the request and of the reply each. */
  readonly bodyBytesMax: number
  /** Milliseconds; after at most an hour more an entry is gone. */
  readonly retentionMs: number
  /** Bytes of all entries of this machine; beyond that the oldest go first. */
  readonly diskBytesMax: number
  readonly redact: readonly Redaction[]
  /** Members of JSON objects whose values are never kept, besides the well-known ones. */
  readonly redactMembers: readonly string[]
}

/** An exchange on its way to the thread that keeps it. */
export type RawEntry = Omit<BodyEntry, 'request' | 'reply'> & { readonly request: RawBody; readonly reply: RawBody }

export type RawBody = {
  readonly contentType: string
  readonly isEncoded: boolean
  readonly bytes: number
  /** Its beginning; somewhat more than is kept, so that nothing that is to be redacted is cut in two. */
  readonly head: Uint8Array
}

/** What the thread that keeps bodies is started with. */
export type BodyWorkerData = {
  readonly dir: string
  readonly writer: string
  /** The newest first. */
  readonly serverSecret: readonly Uint8Array[]
  readonly settings: BodyLogSettings
}

/** What it says: of one entry, `kept` or `failed`; `trouble` of anything else. */
export type BodyWorkerReply = { readonly kind: 'kept' } | { readonly kind: 'failed' | 'trouble'; readonly message: string }
