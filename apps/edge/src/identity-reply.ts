import type { EdgeVerdict } from './decide.ts'
import { isHeaderText } from './header-text.ts'

/** What the names of the headers end in that the edge writes, all of them each time. */
const ENDINGS = ['Auth-Id', 'User-Id', 'Group-Id', 'Resource-Id', 'Resource-Type'] as const

/**
 * The identity headers of a request that may pass: names and values in turn. What is not known is there and empty, which the gate takes
 * for absent: so the client's own copy is overwritten also by a proxy that copies only what it is sent (Caddy before 2.11.2).
 * @throws {TypeError} when an id is none that a header can hold: the directory takes any text
 */
export function identityHeaders({ caller, rule }: Extract<EdgeVerdict, { kind: 'pass' }>, prefix: string): string[] {
  const values: Readonly<Record<(typeof ENDINGS)[number], string | undefined>> = {
    'Auth-Id': caller.authId,
    'User-Id': caller.userId,
    'Group-Id': caller.groupId,
    'Resource-Id': rule.resourceId,
    'Resource-Type': rule.resourceType,
  }
  return ENDINGS.flatMap((ending) => {
    const value = values[ending]
    // Not its text: it is somebody's id.
    if (value !== undefined && !isHeaderText(value)) throw new TypeError(`${prefix}${ending} would hold what no header can`)
    return [`${prefix}${ending}`, wireText(value ?? '')]
  })
}

/** The bytes of UTF-8, each as a character: what the gate reads back as the text that was meant. */
function wireText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
