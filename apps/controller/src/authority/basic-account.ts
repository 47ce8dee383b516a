import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import type { Authenticator, Exchange } from '@ascribe/cloudsigma'
import type { RegionEndpoint } from '@ascribe/impersonation'
import type { Secret } from '@ascribe/service'
import { AuthorityError } from './errors.ts'

export type BasicCredentials = { readonly username: string; readonly password: Secret }

/** An account that is used with its own name and password: the platform's, or that of the legacy mode. */
export type BasicAccount = {
  /** Whose account it is, by the cloud's word at this host. */
  uuidAt(endpoint: RegionEndpoint): Promise<string>
  /** Refuses, before anything is sent, when the credentials turn out to be of another account than the pinned one. */
  authenticator(endpoint: RegionEndpoint, pinned: string): Authenticator
}

/** Names change; a profile that was read is believed for so long. */
const PROFILE_KEPT_MS = 10 * 60_000
const FAILURE_KEPT_MS = 5000

type Known = { readonly uuid: Promise<string>; readonly untilMs: () => number }

export function createBasicAccount(
  { username, password }: BasicCredentials,
  { exchange, monotonic }: { readonly exchange: Exchange; readonly monotonic: () => number },
): BasicAccount {
  const basic = createBasicAuthenticator({ username, password: password.reveal() })
  const known = new Map<string, Known>()

  function uuidAt(endpoint: RegionEndpoint): Promise<string> {
    const found = known.get(endpoint.origin)
    if (found !== undefined && monotonic() < found.untilMs()) return found.uuid
    let until = Number.POSITIVE_INFINITY
    const cloud = createCloudSigma({ endpoint, authenticator: basic, exchange })
    const uuid = cloud.account.profile().then(
      (profile) => {
        until = monotonic() + PROFILE_KEPT_MS
        return profile.uuid.toLowerCase()
      },
      (error: unknown) => {
        until = monotonic() + FAILURE_KEPT_MS
        throw error
      },
    )
    known.set(endpoint.origin, { uuid, untilMs: () => until })
    return uuid
  }

  return {
    uuidAt,
    authenticator(endpoint, pinned) {
      return {
        async authorize(origin, signal) {
          if (origin !== endpoint.origin)
            throw new AuthorityError(`Cannot call ${origin}: it is not the host of ${endpoint.region}`, { reason: 'RegionNotAllowed' })
          const uuid = await uuidAt(endpoint)
          if (uuid !== pinned)
            throw new AuthorityError(`Cannot act as ${pinned}: the credentials are of account ${uuid} now`, { reason: 'OwnerMismatch' })
          return basic.authorize(origin, signal)
        },
        rejected() {
          known.delete(endpoint.origin)
        },
      }
    },
  }
}
