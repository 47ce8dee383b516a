import type { CloudSigmaOwnerBinding } from '@ascribe/kinds'
import { AuthorityError } from './errors.ts'
import type { Facts, ImpersonatorFacts, Place } from './facts.ts'
import type { AccountPin } from './pin.ts'
import type { Account, Purpose } from './types.ts'

export type Refused = {
  readonly ok: false
  readonly reason: string
  readonly message: string
  /** Set where it heals by itself. */
  readonly retryAfterMs?: number
}
export type Standing = { readonly ok: true; readonly account: Account } | Refused

/** While a cache is filled or catches up. */
const LOOK_AGAIN_MS = 2000

type Where = { readonly namespace: string; readonly region: string; readonly purpose: Purpose }

/** Whether a pinned account may be used in a namespace now. Pure: a function of one instant of the caches. */
export function standingOf(facts: Facts, pin: AccountPin, where: { readonly namespace: string; readonly purpose: Purpose }): Standing {
  if (!facts.isReady) return notReady()
  switch (pin.kind) {
    case 'Owner':
      return ownerStanding(facts, pin, where)
    case 'PlatformAccount':
      return platformStanding(facts, pin)
    case 'Legacy':
      return accountOf(pin, facts.legacyPlace?.(pin.region) ?? NO_CREDENTIALS)
  }
}

export function notReady(): Refused {
  return waiting(
    'WaitingForCaches',
    'the caches of impersonators and bindings are not filled yet, or nothing was heard from the API server for long',
  )
}

export function waiting(reason: string, message: string): Refused {
  return { ok: false, reason, message, retryAfterMs: LOOK_AGAIN_MS }
}

export function refused(reason: string, message: string): Refused {
  return { ok: false, reason, message }
}

const NO_CREDENTIALS: Place = { ok: false, why: '' }

function accountOf(pin: AccountPin, place: Place): Standing {
  const { kind, userUUID, region, impersonator } = pin
  if (place === NO_CREDENTIALS)
    return refused(
      'ServiceAccountRejected',
      `this is in ${kind === 'Legacy' ? 'the account of the legacy mode' : "the platform's account"}, and the controller has no credentials of it: set CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD`,
    )
  if (!place.ok) return refused('RegionNotAllowed', place.why)
  return { ok: true, account: { kind, userUUID, region, email: '', ...(impersonator !== undefined && { impersonator }) } }
}

/** Sticky: whether the fallback is still chosen does not matter to what it has made. */
function platformStanding(facts: Facts, pin: AccountPin): Standing {
  if (!facts.hasPlatform) return accountOf(pin, NO_CREDENTIALS)
  if (pin.impersonator !== undefined) {
    const impersonator = facts.impersonator(pin.impersonator)
    if (impersonator === undefined)
      return refused(
        'ImpersonationForbidden',
        `CloudSigmaImpersonator ${pin.impersonator}, whose table has the host of this account, is gone`,
      )
    return accountOf(pin, impersonator.place(pin.region))
  }
  const [only, ...others] = facts.impersonators.flatMap((each) => {
    const place = each.place(pin.region)
    return place.ok ? [place] : []
  })
  if (others.some((each) => each.endpoint.origin !== only?.endpoint.origin))
    return refused(
      'RegionNotAllowed',
      `region ${pin.region} has several hosts, by several CloudSigmaImpersonators; which is the account's is not known`,
    )
  return accountOf(pin, only ?? facts.legacyPlace?.(pin.region) ?? { ok: false, why: `region ${pin.region} is in no table` })
}

/** Any live binding of the namespace with the pinned UUID will do: the pinned one first, then the newest. */
function ownerStanding(
  facts: Facts,
  pin: AccountPin,
  { namespace, purpose }: { readonly namespace: string; readonly purpose: Purpose },
): Standing {
  const where = { namespace, region: pin.region, purpose }
  const candidates = facts.bindings(namespace).filter((each) => isSameUser(each, pin.userUUID))
  if (candidates.length === 0)
    return refused(
      'OwnerNotAuthorized',
      `namespace ${namespace} has no CloudSigmaOwnerBinding for the owner of this; the platform has to make one`,
    )
  return bestOf(facts, candidates.toSorted(byPreference(pin.binding)), where)
}

export function isSameUser({ spec }: CloudSigmaOwnerBinding, userUUID: string): boolean {
  return spec.subject.userUUID.toLowerCase() === userUUID.toLowerCase()
}

/** The one of this name, then the newest; names last, so that there is one order. */
export function byPreference(name: string | undefined): (a: CloudSigmaOwnerBinding, b: CloudSigmaOwnerBinding) => number {
  const rank = ({ metadata }: CloudSigmaOwnerBinding): number => (metadata.name === name ? 0 : 1)
  const time = ({ metadata }: CloudSigmaOwnerBinding): string => metadata.creationTimestamp ?? ''
  return (a, b) => rank(a) - rank(b) || time(b).localeCompare(time(a)) || a.metadata.name.localeCompare(b.metadata.name)
}

/** The first that stands; else the refusal that came furthest, for it says what is really missing. */
export function bestOf(facts: Facts, bindings: readonly CloudSigmaOwnerBinding[], where: Where): Standing {
  let best: { readonly rank: number; readonly refusal: Refused } | undefined
  for (const binding of bindings) {
    const checked = check(facts, binding, where)
    if (checked.ok) return checked
    if (best === undefined || checked.rank > best.rank) best = { rank: checked.rank, refusal: checked.refusal }
  }
  return best?.refusal ?? refused('OwnerNotAuthorized', `namespace ${where.namespace} has no CloudSigmaOwnerBinding`)
}

type Checked = { readonly ok: true; readonly account: Account } | { readonly ok: false; readonly rank: number; readonly refusal: Refused }

/** One binding, in the order of 5.4: namespace, binding, impersonator, region. */
function check(facts: Facts, binding: CloudSigmaOwnerBinding, where: Where): Checked {
  const steps = [checkNamespace, checkLife, checkImpersonator, checkRegion]
  for (const [rank, step] of steps.entries()) {
    const refusal = step(facts, binding, where)
    if (refusal !== undefined) return { ok: false, rank, refusal }
  }
  const { name, uid = '', generation = 0 } = binding.metadata
  const { subject, impersonatorRef } = binding.spec
  return {
    ok: true,
    account: {
      kind: 'Owner',
      userUUID: subject.userUUID.toLowerCase(),
      region: where.region,
      email: subject.emailAtBinding,
      binding: { name, uid, generation },
      impersonator: impersonatorRef.name,
    },
  }
}

type Step = (facts: Facts, binding: CloudSigmaOwnerBinding, where: Where) => Refused | undefined

/** Name and uid: a namespace that was deleted and made again under its name is another one. */
const checkNamespace: Step = (facts, { metadata, spec }, { namespace }) => {
  const found = facts.namespace(namespace)
  if (found === undefined) return waiting('WaitingForNamespace', `namespace ${namespace} is not in the cache yet`)
  if (spec.namespaceRef.name === namespace && spec.namespaceRef.uid === found.uid) return undefined
  return refused(
    'OwnerNotAuthorized',
    `CloudSigmaOwnerBinding ${metadata.name} is for another namespace of the name ${namespace} (uid ${spec.namespaceRef.uid}, this one has ${found.uid}); bind it anew`,
  )
}

/** A binding that is being deleted is revoked at once, whatever its finalizer holds. */
const checkLife: Step = (facts, { metadata, spec }, { purpose }) => {
  const ended = endOf(facts, { metadata, spec })
  if (ended === undefined) return undefined
  if (purpose === 'cleanup') {
    if (spec.allowCleanupAfterRevoke !== false) return undefined
    return refused('OwnerNotAuthorized', `CloudSigmaOwnerBinding ${metadata.name} ${ended}, and does not allow cleaning up after that`)
  }
  return refused('OwnerNotAuthorized', `CloudSigmaOwnerBinding ${metadata.name} ${ended}; the platform has to bind the owner again`)
}

function endOf(facts: Facts, { metadata, spec }: Pick<CloudSigmaOwnerBinding, 'metadata' | 'spec'>): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return 'is revoked'
  if (spec.expiresAt === undefined) return undefined
  const expiresAt = Date.parse(spec.expiresAt)
  // What cannot be read has ended: fail closed.
  return expiresAt > facts.now ? undefined : `has expired (${Number.isNaN(expiresAt) ? 'its date cannot be read' : spec.expiresAt})`
}

const checkImpersonator: Step = (facts, { metadata, spec }, { namespace, purpose }) => {
  const { name } = spec.impersonatorRef
  const impersonator = facts.impersonator(name)
  if (impersonator === undefined)
    return refused(
      'ImpersonationForbidden',
      `CloudSigmaImpersonator ${name}, which CloudSigmaOwnerBinding ${metadata.name} names, does not exist`,
    )
  // What is only taken away needs nobody's permission any more; the hosts stay those of the table.
  if (purpose === 'cleanup') return undefined
  return refusalOfImpersonator(facts, impersonator, namespace)
}

/** Whether an impersonator may be used for a namespace. */
export function refusalOfImpersonator(facts: Facts, impersonator: ImpersonatorFacts, namespace: string): Refused | undefined {
  if (impersonator.isDeleting) return refused('ImpersonationForbidden', `CloudSigmaImpersonator ${impersonator.name} is being deleted`)
  const found = facts.namespace(namespace)
  if (found !== undefined && impersonator.allows(found)) return undefined
  return refused(
    'ImpersonationForbidden',
    `CloudSigmaImpersonator ${impersonator.name} does not allow namespace ${namespace} (spec.allowedNamespaces)`,
  )
}

const checkRegion: Step = (facts, { metadata, spec }, { region, purpose }) => {
  const place = facts.impersonator(spec.impersonatorRef.name)?.place(region)
  if (place === undefined || !place.ok) return refused('RegionNotAllowed', place?.why ?? `region ${region} is in no table`)
  const regions = spec.limits?.regions
  if (purpose === 'cleanup' || regions === undefined || regions.length === 0 || regions.includes(region)) return undefined
  return refused(
    'RegionNotAllowed',
    `CloudSigmaOwnerBinding ${metadata.name} allows ${regions.join(', ')}, not ${region} (spec.limits.regions)`,
  )
}

export function errorOf({ reason, message, retryAfterMs }: Refused): AuthorityError {
  return new AuthorityError(message, { reason, ...(retryAfterMs !== undefined && { retryAfterMs }) })
}
