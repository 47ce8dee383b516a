import { mergeTerms, serverSecretId } from '@ascribe/identity'
import type { ScopedTerms, ServerSecret } from '@ascribe/identity'
import { termsFor } from '@ascribe/ledger'
import type { Credential, CredentialSecret } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import type { ListShape } from '../list-output.ts'
import { termsJson, termsText } from '../terms-text.ts'

/** How keys are listed. `serverSecret`: to say which keys still need one that is to be taken away. `terms`: all that are in force. */
export function credentialShape(serverSecret: ServerSecret, terms: readonly ScopedTerms[]): ListShape<Credential> {
  const ids = (Buffer.isBuffer(serverSecret) ? [serverSecret] : serverSecret).map(serverSecretId)
  return {
    columns: [
      { title: 'auth id' },
      { title: 'key' },
      { title: 'name' },
      { title: 'scopes' },
      { title: 'organization' },
      { title: 'terms' },
      { title: 'last used' },
      { title: 'state' },
    ],
    row: (key) => [
      key.authId,
      key.secrets.length > 1 ? `ask_${key.publicId}_… +${key.secrets.length - 1}` : `ask_${key.publicId}_…`,
      key.name ?? '',
      key.scopes.join(' '),
      key.organizationId ?? '(nobody)',
      termsText(mergeTerms(termsFor(terms, key))),
      instant(key.lastUsedAt) ?? '',
      stateText(key),
    ],
    json: (key) => ({
      auth_id: key.authId,
      public_id: key.publicId,
      name: key.name,
      scopes: key.scopes,
      organization_id: key.organizationId,
      user_id: key.userId,
      group_id: key.groupId,
      created_at: instant(key.createdAt),
      revoked_at: instant(key.revokedAt),
      expires_at: instant(key.expiresAt),
      last_used_at: instant(key.lastUsedAt),
      state: key.state,
      terms: termsJson(mergeTerms(termsFor(terms, key))),
      secrets: key.secrets.map((secret) => secretJson(secret, ids)),
    }),
  }
}

function stateText({ state, revokedAt, expiresAt }: Credential): string {
  if (revokedAt !== undefined) return `revoked ${formatInstant(revokedAt)}`
  if (expiresAt === undefined) return state
  return state === 'expired' ? `expired ${formatInstant(expiresAt)}` : `until ${formatInstant(expiresAt)}`
}

function secretJson(secret: CredentialSecret, ids: readonly string[]): Record<string, unknown> {
  const place = secret.serverSecretId === undefined ? -1 : ids.indexOf(secret.serverSecretId)
  return {
    public_id: secret.publicId,
    created_at: instant(secret.createdAt),
    ends_at: instant(secret.endsAt),
    end_cause: secret.endCause,
    // Undefined: made before anybody noted it.
    server_secret: secret.serverSecretId === undefined ? undefined : place === 0 ? 'newest' : place > 0 ? 'older' : 'missing',
  }
}

function instant(at: number | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at)
}
