import type { AuditSink, MintAudit } from '@ascribe/impersonation'

/** What became of a binding's tokens, for its status. */
export type BindingNote = {
  /** UTC epoch milliseconds of the last token. */
  readonly mintedAt?: number
  /** Of the profile that the last token was asserted by. */
  readonly profileUUID?: string
  /** Of the first token of this process, or the one that ended an error. */
  readonly verifiedAt?: number
  /** Cleared by the next token. */
  readonly error?: string
}

/** Notes by uid of the binding. In memory: what matters is in the trail; this is for who looks at the object. */
export type BindingNotes = {
  get(uid: string): BindingNote | undefined
  minted(uid: string, facts: { readonly at: number; readonly userUUID: string }): void
  failed(uid: string, message: string): void
  forget(uid: string): void
  onChange(handler: (uid: string) => void): void
  /** A token was had after one could not be: whoever waits for this owner may go on. */
  onRecovery(handler: (uid: string) => void): void
}

export function createBindingNotes(): BindingNotes {
  const notes = new Map<string, BindingNote>()
  const handlers: ((uid: string) => void)[] = []
  const recoveries: ((uid: string) => void)[] = []
  const put = (uid: string, note: BindingNote): void => {
    notes.set(uid, note)
    for (const handler of handlers) handler(uid)
  }
  return {
    get: (uid) => notes.get(uid),
    minted(uid, { at, userUUID }) {
      const before = notes.get(uid)
      const isNews = before?.verifiedAt === undefined || before.error !== undefined
      put(uid, { mintedAt: at, profileUUID: userUUID, verifiedAt: isNews ? at : before.verifiedAt })
      if (before?.error !== undefined) for (const handler of recoveries) handler(uid)
    },
    failed(uid, message) {
      const before = notes.get(uid)
      if (before?.error !== message) put(uid, { ...before, error: message })
    },
    forget: (uid) => void notes.delete(uid),
    onChange: (handler) => void handlers.push(handler),
    onRecovery: (handler) => void recoveries.push(handler),
  }
}

/** What a token is asked for by: the binding as it was, and what for. A part of the cache's key (5.4). */
export type MintKey = { readonly uid: string; readonly generation: number; readonly purpose: 'operate' | 'cleanup' }

export function formatMintKey({ uid, generation, purpose }: MintKey): string {
  return purpose === 'operate' ? `${uid}/${generation}` : `${uid}/${generation}/cleanup`
}

export function parseMintKey(text: string | number | undefined): MintKey | undefined {
  const match = /^([^/]+)\/(\d+)(\/cleanup)?$/.exec(String(text))
  if (match === null) return undefined
  return { uid: match[1] ?? '', generation: Number(match[2]), purpose: match[3] === undefined ? 'operate' : 'cleanup' }
}

/** Passes records on, and notes what was minted once its record is stored. */
export function noting(sink: AuditSink, notes: BindingNotes): AuditSink {
  return async (record: MintAudit) => {
    await sink(record)
    const key = parseMintKey(record.bindingGeneration)
    if (key !== undefined && record.outcome === 'minted' && record.ownerUuid !== undefined)
      notes.minted(key.uid, { at: record.at, userUUID: record.ownerUuid })
  }
}
