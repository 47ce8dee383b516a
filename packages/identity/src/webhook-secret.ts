import { hkdfSync } from 'node:crypto'
import { allSecrets } from './server-secret.ts'
import type { ServerSecret } from './server-secret.ts'

const BYTES = 32

/**
 * What webhooks to `url` are signed with, the newest first: one for each server secret, so that receivers can change over while two are
 * listed. Derived (HKDF-SHA-256) and stored nowhere: the database holds nothing with which anybody could sign.
 */
export function webhookSecrets(serverSecret: ServerSecret, url: string): readonly Buffer[] {
  return allSecrets(serverSecret).map((secret) => Buffer.from(hkdfSync('sha256', secret, '', `ascribe webhook ${url}`, BYTES)))
}

/** The form in which a receiver's library takes it (Standard Webhooks): `whsec_` and base64. */
export function formatWebhookSecret(secret: Buffer): string {
  return `whsec_${secret.toString('base64')}`
}
