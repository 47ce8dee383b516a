import { seal, unseal } from '@ascribe/identity/sealed-box'
import type { SealContext } from '@ascribe/identity/sealed-box'
import type { ServerSecret } from '@ascribe/identity'
import type { BodyEntry } from './types.ts'

const contextOf = (eventId: string): SealContext => ({ purpose: 'body log', place: eventId })

/** An entry as a line: its event id, which is needed to open it, and the rest under the server secret. */
export function sealLine(serverSecret: ServerSecret, entry: BodyEntry): string {
  return `${entry.eventId} ${seal(serverSecret, contextOf(entry.eventId), JSON.stringify(entry)).toString('base64')}\n`
}

/** The entry; `undefined`: the line was cut or changed, or its secret is not known any more. */
export function openLine(serverSecret: ServerSecret, line: string): BodyEntry | undefined {
  const space = line.indexOf(' ')
  const text =
    space === -1 ? undefined : unseal(serverSecret, contextOf(line.slice(0, space)), Buffer.from(line.slice(space + 1), 'base64'))
  // What opens under our secret is what we have sealed.
  return text === undefined ? undefined : (JSON.parse(text) as BodyEntry)
}
