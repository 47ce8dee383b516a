import { hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '@ascribe/kit'
import { createHmacOf } from './hmac.ts'
import { allSecrets, newestSecret } from './server-secret.ts'
import type { ServerSecret } from './server-secret.ts'

// A question to a gateway: what of this request has arrived? Whoever may ask knows the server secret. ADR 0099.

const PREFIX = 'ascribe-edge-probe:'
/** A token is good for so long. */
const LIFE_MS = 60_000
/** By which clocks may differ. */
const SKEW_MS = 30_000
const NONCE_BYTES = 12
/** Tokens that were used and have not ended; more are refused until some have. */
const USED_MAX = 4096

const SHAPE = /^([0-9a-z]{8,10})\.([A-Za-z0-9_-]{16})$/

/** The name of a model that asks a gateway what arrived: good for one request, for a minute. */
export function createEdgeProbe(serverSecret: ServerSecret, now: number): string {
  const said = `${(now + LIFE_MS).toString(36)}.${randomBytes(NONCE_BYTES).toString('base64url')}`
  return `${PREFIX}${said}.${macOf(newestSecret(serverSecret))(said)}`
}

/** Whether a model's name is such a question, good or not: it never goes to an engine. */
export function isEdgeProbe(model: string): boolean {
  return model.startsWith(PREFIX)
}

/** Takes a question once. False: it is forged, has ended, was asked before, or of another server secret. */
export function createEdgeProbeTaker(serverSecret: ServerSecret, clock: Clock): (model: string) => boolean {
  const macs = allSecrets(serverSecret).map(macOf)
  /** Signed texts, and when they end. */
  const used = new Map<string, number>()
  return (model) => {
    const end = model.lastIndexOf('.')
    const said = model.slice(PREFIX.length, end)
    const [, ends = '', nonce] = isEdgeProbe(model) ? (SHAPE.exec(said) ?? []) : []
    if (nonce === undefined || !macs.some((mac) => isSame(mac(said), model.slice(end + 1)))) return false
    const now = clock()
    const endsAt = Number.parseInt(ends, 36)
    if (endsAt + SKEW_MS <= now || endsAt > now + LIFE_MS + SKEW_MS || used.has(said)) return false
    for (const [each, at] of used) if (at + SKEW_MS <= now) used.delete(each)
    if (used.size >= USED_MAX) return false
    used.set(said, endsAt)
    return true
  }
}

function macOf(secret: Buffer): (text: string) => string {
  return createHmacOf(Buffer.from(hkdfSync('sha256', secret, '', 'ascribe edge probe', 32)))
}

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected, 'latin1'), Buffer.from(given, 'latin1')]
  return a.length === b.length && timingSafeEqual(a, b)
}
