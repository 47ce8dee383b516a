import { hash } from 'node:crypto'
import { assert } from '@ascribe/kit'
import { idOfHash } from '@ascribe/units'
import { machineModelOf } from '@ascribe/usage'
import type { UsageRecord } from '@ascribe/usage'
import { authIdOf } from './acts.ts'
import type { Part } from './quantities.ts'
import type { ActAccount, MachineRef } from './types.ts'

/** Of whom a machine is, and what it is called. */
export type MachineOwner = { readonly machine: MachineRef; readonly account: ActAccount }

/**
 * The usage record of one part of a machine's life. Its id follows from the server and from when the part begins, and a part begins where the
 * annotation says: whoever writes it again writes the same. So nothing is in it that changes in a machine's life: its Cluster may be gone by then.
 */
export function machineRecord(server: string, part: Part, { machine, account }: MachineOwner): UsageRecord {
  const { start, end, meters, isGuess } = part
  const eventId = idOfHash(start, hash('sha256', JSON.stringify(['vm', server, start]), 'buffer'))
  return {
    eventId,
    startedAt: start,
    requestId: eventId,
    authId: authIdOf(account, machine),
    resourceId: server,
    resourceType: 'vm',
    userId: account.userUUID,
    headers: {
      account: account.kind,
      machine: `${machine.namespace}/${machine.name}`,
      region: account.region,
      state: part.level.isRunning ? 'running' : 'stopped',
    },
    identifiedBy: 'binding',
    route: 'machines',
    api: 'machine',
    streamed: false,
    endedAt: end,
    outcome: 'completed',
    provenance: isGuess ? 'estimated' : 'reported',
    model: machineModelOf(account.kind),
    promptTokens: null,
    cachedTokens: null,
    completionTokens: null,
    meters: Object.fromEntries(Object.entries(meters).map(([meter, quantity]) => [meter, numberOf(quantity)])),
  }
}

/** An hour of the largest machine there can be is far below 2^53 (ADR 0088). */
function numberOf(quantity: bigint): number {
  const number = Number(quantity)
  assert(Number.isSafeInteger(number), `a machine used ${quantity} of a meter within an hour`)
  return number
}
