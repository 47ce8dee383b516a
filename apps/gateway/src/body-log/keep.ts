import { assembled } from './assemble.ts'
import { createRedactor } from './redact.ts'
import { beginningOf, isText, textOf } from './text.ts'
import type { BodyEntry, BodyLogSettings, KeptBody, RawBody, RawEntry } from './types.ts'

/** Makes what turns an exchange into what is kept of it. Takes milliseconds: not for a thread that serves. */
export function createKeeper(settings: Pick<BodyLogSettings, 'bodyBytesMax' | 'redact' | 'redactMembers'>): (raw: RawEntry) => BodyEntry {
  const redact = createRedactor(settings.redact, settings.redactMembers)
  const keep = ({ contentType, isEncoded, bytes, head }: RawBody): KeptBody => {
    const common = { contentType, bytes }
    if (isEncoded || !isText(contentType)) return { ...common, text: undefined, isCut: false, isAssembled: false }
    const whole = textOf(head)
    const put = contentType.toLowerCase().startsWith('text/event-stream') ? assembled(whole) : undefined
    const text = redact(put ?? whole)
    const kept = beginningOf(text, settings.bodyBytesMax)
    return { ...common, text: kept, isCut: kept.length < text.length || head.length < bytes, isAssembled: put !== undefined }
  }
  return (raw) => ({ ...raw, request: keep(raw.request), reply: keep(raw.reply) })
}
