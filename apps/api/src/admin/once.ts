import { createHash } from 'node:crypto'
import type { createIdempotency } from '@ascribe/ledger'
import { Refusal } from '../errors.ts'
import type { Once } from '../http/exchange.ts'
import type { Incoming } from '../http/incoming.ts'
import type { Outgoing } from '../http/reply.ts'

type Idempotency = ReturnType<typeof createIdempotency>

/** Printable ASCII: what an unbroken header can hold. */
const KEY = /^[!-~]{1,200}$/

/**
 * Does the work of one `Idempotency-Key` once. The same key and request again get the first answer again, secrets included; the same key
 * with another request is refused. What failed on our side may be tried again; what was refused may be mended and tried again.
 */
export function createOnce(idempotency: Idempotency): Once {
  return async ({ caller, incoming, bytes }, work) => {
    const key = keyOf(incoming)
    if (key === undefined || caller.kind !== 'platform') return work()
    const attempt = await idempotency.begin({ credentialId: caller.credentialId, key, requestHash: hashOf(incoming, bytes) })
    switch (attempt.kind) {
      case 'replay':
        return { status: attempt.status, headers: REPLAYED, cookies: [], body: attempt.body === '' ? undefined : attempt.body }
      case 'running':
        throw new Refusal('idempotency_conflict', 'The same request is being worked on. Ask again soon.', {
          headers: { 'retry-after': '1' },
        })
      case 'conflict':
        throw new Refusal('idempotency_conflict', 'This Idempotency-Key was used for another request.')
      case 'fresh':
        return workOnce(attempt, work)
    }
  }
}

const REPLAYED = { 'content-type': 'application/json; charset=utf-8', 'idempotency-replayed': 'true' }

type Fresh = Extract<Awaited<ReturnType<Idempotency['begin']>>, { readonly kind: 'fresh' }>

async function workOnce(attempt: Fresh, work: () => Promise<Outgoing>): Promise<Outgoing> {
  let outgoing: Outgoing
  try {
    outgoing = await work()
  } catch (thrown) {
    await attempt.abandon()
    throw thrown
  }
  const { status, body } = outgoing
  if (body === undefined || typeof body === 'string') await attempt.finish({ status, body: body ?? '' })
  else await attempt.abandon()
  return outgoing
}

function keyOf({ valuesOf }: Incoming): string | undefined {
  const [key, ...others] = valuesOf('idempotency-key')
  if (key === undefined) return undefined
  if (others.length > 0 || !KEY.test(key))
    throw new Refusal('invalid_request', 'Idempotency-Key comes once, and is 1 to 200 printable ASCII characters.')
  return key
}

function hashOf({ method, path, search }: Incoming, bytes: Uint8Array): string {
  return createHash('sha256').update(`${method} ${path}${search}\n`).update(bytes).digest('hex')
}
