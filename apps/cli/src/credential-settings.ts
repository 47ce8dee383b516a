import { z } from 'zod'
import { mayCarryCredential, upstreamCredential } from '@ascribe/gateway/routing'
import type { CredentialScheme, UpstreamCredential } from '@ascribe/gateway/routing'
import { InputError } from '@ascribe/kit'
import { secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** What opens an engine, and how it is shown there. */
export type CredentialSettings = {
  readonly credential?: Secret | undefined
  readonly credential_name?: string | undefined
  /** Lower case; default: `authorization`. */
  readonly credential_header?: string | undefined
  /** Default: `bearer` in `authorization`, else `none`. */
  readonly credential_scheme?: CredentialScheme | undefined
}

type Shape<Keys extends keyof CredentialSettings> = { readonly [Name in Keys]-?: z.ZodType<CredentialSettings[Name], unknown> }

/** What the ledger may keep of a credential. */
export const namedCredentialShape: Shape<Exclude<keyof CredentialSettings, 'credential'>> = {
  credential_name: z.string().min(1).optional(),
  credential_header: z
    .string()
    .toLowerCase()
    .refine(mayCarryCredential, 'must be the name of a header that nothing else needs, such as x-api-key')
    .optional(),
  credential_scheme: z.enum(['bearer', 'none']).optional(),
}

export const credentialShape: Shape<keyof CredentialSettings> = { credential: secret().optional(), ...namedCredentialShape }

/** Whether a route, or one of its upstreams, says how a credential travels and has none that could. */
export function hasIdleField(route: CredentialSettings, upstreams: readonly CredentialSettings[] = []): boolean {
  if (saysField(route) && ![route, ...upstreams].some(hasSecret)) return true
  return !hasSecret(route) && upstreams.some((each) => saysField(each) && !hasSecret(each))
}

/** What an upstream says of its credential, and the rest as its route says it. */
export function ownOrRoutes(own: CredentialSettings, route: CredentialSettings): CredentialSettings {
  const { credential, credential_name } = hasSecret(own) ? own : route
  // A scheme goes with the header that it was said for.
  const field = own.credential_header === undefined ? route : own
  const credential_scheme = own.credential_scheme ?? field.credential_scheme
  return { credential, credential_name, credential_header: field.credential_header, credential_scheme }
}

/** The credential of the route `id`, or of one of its upstreams. @throws {InputError} for two, or one that this gateway has not got */
export function credentialOf(
  { credential, credential_name: named, credential_header: header, credential_scheme: scheme }: CredentialSettings,
  { id, credentials }: { readonly id: string; readonly credentials: Readonly<Record<string, Secret>> },
): { readonly credential?: UpstreamCredential } {
  if (credential !== undefined && named !== undefined) {
    throw new InputError(`Cannot use route "${id}": it has credential and credential_name`, { hint: 'Give one of them.' })
  }
  const found = named === undefined ? credential : Object.hasOwn(credentials, named) ? credentials[named] : undefined
  if (found !== undefined)
    return { credential: header === undefined && scheme === undefined ? found : upstreamCredential(found, { header, scheme }) }
  if (named === undefined) return {}
  throw new InputError(`Cannot use route "${id}": this gateway has no credential "${named}"`, {
    hint: `Give it under \`gateway.credentials\` as ${named}: { env: NAME }.`,
  })
}

function hasSecret({ credential, credential_name: named }: CredentialSettings): boolean {
  return credential !== undefined || named !== undefined
}

function saysField({ credential_header: header, credential_scheme: scheme }: CredentialSettings): boolean {
  return header !== undefined || scheme !== undefined
}
