import type { RequestFacts } from './request-scan.ts'

/** The bytes to send up, one after the other. `injected`: the wish for usage is ours, so the event that answers it is hidden. */
export type Splice = { readonly parts: readonly Buffer[]; readonly injected: boolean }

const MEMBER = Buffer.from('"stream_options":{"include_usage":true},')
const VALUE = Buffer.from('{"include_usage":true}')
const OPTION = Buffer.from('"include_usage":true')
const OPTION_MORE = Buffer.from('"include_usage":true,')
const TRUE = Buffer.from('true')

/**
 * Sets `stream_options.include_usage` in a request that may stream, and touches nothing else: every other byte stays, in its
 * place, big integers included. Other APIs than Chat Completions and Completions do not know the option. `facts` are those of this very body. The parts are views of it; nothing is copied.
 */
export function spliceIncludeUsage(body: Buffer, facts: RequestFacts): Splice {
  const knowsWish = facts.api === 'chat' || facts.api === 'completions'
  if (!facts.streams || facts.includeUsage || !knowsWish) return { parts: [body], injected: false }
  const at = facts.streamOptions
  switch (at.kind) {
    case 'absent':
      // The body has a member, `stream`, so the comma in the insert is always right.
      return splice(body, facts.membersStart, facts.membersStart, MEMBER)
    case 'value':
      return splice(body, at.start, at.end, VALUE)
    case 'object':
      return splice(body, at.start, at.start, at.empty ? OPTION : OPTION_MORE)
    case 'include_usage':
      return splice(body, at.start, at.end, TRUE)
  }
}

function splice(body: Buffer, start: number, end: number, insert: Buffer): Splice {
  return { parts: [body.subarray(0, start), insert, body.subarray(end)], injected: true }
}
