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

/**
 * What an alert is signed with, the newest first: the secrets that its budget's owner has asked for, each of a salt of its own; else that of its URL.
 * A secret of a URL is whoever's the URL is, and two organizations may name the same one: a customer is never given that.
 */
export function alertSecrets(
  serverSecret: ServerSecret,
  { url, budgetId, salts }: { readonly url: string; readonly budgetId: string; readonly salts: readonly string[] },
): readonly Buffer[] {
  if (salts.length === 0) return webhookSecrets(serverSecret, url)
  return salts.flatMap((salt) =>
    allSecrets(serverSecret).map((secret) =>
      Buffer.from(hkdfSync('sha256', secret, Buffer.from(salt, 'hex'), `ascribe webhook of budget ${budgetId}`, BYTES)),
    ),
  )
}

/** The form in which a receiver's library takes it (Standard Webhooks): `whsec_` and base64. */
export function formatWebhookSecret(secret: Buffer): string {
  return `whsec_${secret.toString('base64')}`
}
