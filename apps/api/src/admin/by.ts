import type { Caller } from '../handler.ts'

/** Who did it, as the ledger keeps it beside what was done. */
export function authorOf(caller: Caller): string {
  switch (caller.kind) {
    case 'user':
      return `user:${caller.subject}`
    case 'platform':
      return `platform:${caller.credentialId}`
    case 'key':
      return `key:${caller.authId}`
    case 'operator':
      return `operator:${caller.name}`
    case 'sender':
    case 'anonymous':
      throw new Error(`a ${caller.kind} changes nothing`)
  }
}

/** An instant that a schema has checked. */
export function instantOf(text: string): number {
  return Date.parse(text)
}
