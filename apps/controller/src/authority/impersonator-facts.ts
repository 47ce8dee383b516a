import { createIssuer, createRegionTable } from '@ascribe/impersonation'
import type { Issuer, RegionTable } from '@ascribe/impersonation'
import { DEFAULT_CLIENT_SECRET, DEFAULT_NAMESPACE } from '@ascribe/kinds'
import type { CloudSigmaImpersonator } from '@ascribe/kinds'
import { AscribeError } from '@ascribe/kit'
import { IssuerRefusedError } from './errors.ts'
import { matchesSelector } from './facts.ts'
import type { ImpersonatorFacts, NamespaceFacts, Place } from './facts.ts'

/** An Impersonator as it is used: facts for decisions, and how tokens are had from it. */
export type Impersonator = ImpersonatorFacts & {
  /** Throws what is wrong with `spec.issuer`. */
  readonly issuer: () => Issuer
  readonly clientSecretRef: { readonly name: string; readonly namespace: string }
  /** Only what its own table has. */
  readonly regions: RegionTable
}

export type ImpersonatorOptions = {
  /** Says why an authorization server may not be used: one for trials (H-18). */
  readonly refuseIssuer?: ((url: string) => string | undefined) | undefined
  /** Where the Secret is when the Impersonator does not say. */
  readonly secretNamespace?: string
}

/** Reads one object of the cache. A region whose host cannot be trusted is left out of the table, and says so; the others serve. */
export function impersonatorOf(object: CloudSigmaImpersonator, options: ImpersonatorOptions = {}): Impersonator {
  const { metadata, spec } = object
  const { regions, problems } = regionsOf(spec.regions)
  const { name, uid = '', generation = 0, deletionTimestamp } = metadata
  const ref = spec.clientSecretRef
  return {
    name,
    uid,
    generation,
    isDeleting: deletionTimestamp !== undefined,
    fallback: spec.fallback?.mode === 'PlatformAccount' ? 'PlatformAccount' : 'Forbid',
    fallbackLimits: spec.fallback?.limits,
    allows: (namespace) => allows(spec.allowedNamespaces, namespace),
    place: (region) =>
      placeOf(regions, region, problems.get(region) ?? `it is not in the table of CloudSigmaImpersonator ${name} (spec.regions)`),
    issuer: () => issuerOf(spec.issuer, options),
    clientSecretRef: {
      name: ref?.name ?? DEFAULT_CLIENT_SECRET,
      namespace: ref?.namespace ?? options.secretNamespace ?? DEFAULT_NAMESPACE,
    },
    regions,
  }
}

/** What a table says of a region, without throwing. */
export function placeOf(regions: RegionTable, region: string, why: string): Place {
  try {
    return { ok: true, endpoint: regions.endpoint(region) }
  } catch (error) {
    if (!(error instanceof AscribeError)) throw error
    return { ok: false, why: `region ${region} cannot be used: ${why}` }
  }
}

/** Default-deny: no words, an unknown mode and an empty selection are nobody. */
function allows(allowed: CloudSigmaImpersonator['spec']['allowedNamespaces'], namespace: NamespaceFacts): boolean {
  switch (allowed?.mode) {
    case 'All':
      return true
    case 'Selected': {
      const { names = [], selector } = allowed
      return names.includes(namespace.name) || (selector !== undefined && isSaying(selector) && matchesSelector(namespace.labels, selector))
    }
    default:
      return false
  }
}

/** `{}` matches everything elsewhere, and is written by mistake everywhere (CAPZ #1331): whoever means all says `mode: All`. */
function isSaying(selector: { readonly matchLabels?: object; readonly matchExpressions?: readonly unknown[] }): boolean {
  return Object.keys(selector.matchLabels ?? {}).length > 0 || (selector.matchExpressions ?? []).length > 0
}

function regionsOf(listed: CloudSigmaImpersonator['spec']['regions']): { regions: RegionTable; problems: ReadonlyMap<string, string> } {
  const entries: Record<string, { api: string; impersonate: string }> = {}
  const problems = new Map<string, string>()
  for (const { name, apiHost, impersonateHost } of listed) {
    const entry = { api: originOf(apiHost), impersonate: impersonateUrlOf(impersonateHost ?? apiHost) }
    try {
      createRegionTable({ entries: { [name]: entry } })
      if (name in entries) throw new DoubleRegion()
      entries[name] = entry
    } catch (error) {
      if (!(error instanceof AscribeError) && !(error instanceof DoubleRegion)) throw error
      delete entries[name]
      problems.set(name, error.message)
    }
  }
  return { regions: createRegionTable({ entries }), problems }
}

class DoubleRegion extends Error {
  constructor() {
    super('it stands twice in the table')
  }
}

/** A host means https; a URL stands as it is, and the table lets plain http through towards loopback only. */
function originOf(host: string): string {
  return host.includes('://') ? host : `https://${host}`
}

const IMPERSONATE_PATH = '/service_provider/api/v1/user/impersonate'

/** A path in it is the whole address of step 3. */
function impersonateUrlOf(host: string): string {
  const url = URL.parse(originOf(host))
  return url !== null && url.pathname !== '/' ? originOf(host) : `${originOf(host).replace(/\/$/, '')}${IMPERSONATE_PATH}`
}

/** `https://host/realms/realm` as tokens have it in `iss`; or the root of the server, whose realm is then `cloudsigma`. */
function issuerOf(url: string, { refuseIssuer }: ImpersonatorOptions): Issuer {
  const why = refuseIssuer?.(url)
  if (why !== undefined) throw new IssuerRefusedError(why)
  const match = /^(.*)\/realms\/([^/?#]+)\/?$/.exec(url)
  return match === null ? createIssuer({ oauthUrl: url }) : createIssuer({ oauthUrl: match[1] ?? '', realm: match[2] ?? '' })
}
