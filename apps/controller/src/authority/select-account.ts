import { ANNOTATIONS, FINALIZERS } from '@ascribe/kinds'
import type { CloudSigmaOwnerBinding } from '@ascribe/kinds'
import type { Facts, ImpersonatorFacts } from './facts.ts'
import { parsePin } from './pin.ts'
import type { AccountPin } from './pin.ts'
import { bestOf, byPreference, isSameUser, notReady, refusalOfImpersonator, refused, waiting } from './standing.ts'
import type { Refused } from './standing.ts'
import type { Account, SelectRequest } from './types.ts'
import { isSilent, normalizeEmail, wordsOf } from './words.ts'
import type { Words } from './words.ts'

/** Addresses that `userRef`s hold, by name of the Secret; all in the request's namespace. */
export type SecretWords = ReadonlyMap<string, string>

/** What was decided: a binding's owner, or an account that is everybody's, whose UUID the credentials say. */
export type Selected =
  | { readonly ok: true; readonly kind: 'Owner'; readonly pin: AccountPin; readonly account: Account }
  | { readonly ok: true; readonly kind: 'PlatformAccount'; readonly region: string; readonly impersonator: string }
  | { readonly ok: true; readonly kind: 'Legacy'; readonly region: string }
  | Refused

/**
 * Whose account a machine shall have that has none yet. Pure; what an error, an outage or a missing object can do to it is to turn a
 * selection into a refusal, never into another account (H-5): whether the platform's account is taken depends on what is *written* on
 * cluster and Impersonator, and on nothing that can fail.
 */
export function selectAccount(facts: Facts, request: SelectRequest, secrets: SecretWords): Selected {
  const selected = decide(facts, request, secrets)
  const isTemplates = !isSilent(wordsOf(request.machine, request.namespace))
  return isTemplates ? selected : heldTo(request.cluster.metadata.annotations?.[ANNOTATIONS.account], selected)
}

/** A cluster's account is pinned too, when it is first known: later words of it cannot lead its machines elsewhere (H-8). */
function heldTo(pinned: string | undefined, selected: Selected): Selected {
  if (pinned === undefined || !selected.ok) return selected
  const pin = parsePin(pinned)
  const userUUID = selected.kind === 'Owner' ? selected.pin.userUUID : pin?.userUUID
  const region = selected.kind === 'Owner' ? selected.pin.region : selected.region
  if (pin !== undefined && pin.kind === selected.kind && pin.userUUID === userUUID && pin.region === region) return selected
  return refused(
    'OwnerMismatch',
    `the CloudSigmaCluster is pinned to another account than its words lead to now; only a platform writer may remove ${ANNOTATIONS.account}`,
  )
}

function decide(facts: Facts, request: SelectRequest, secrets: SecretWords): Selected {
  if (!facts.isReady) return notReady()
  const { namespace, cluster, machine } = request
  const region = cluster.spec?.region
  if (region === undefined || region === '') return refused('InvalidSpec', 'the CloudSigmaCluster names no region')
  if (facts.namespace(namespace) === undefined) return waiting('WaitingForNamespace', `namespace ${namespace} is not in the cache yet`)
  const choice = cluster.metadata.annotations?.[ANNOTATIONS.fallback]
  if (choice !== undefined && choice !== 'PlatformAccount' && choice !== 'Forbid')
    return refused('InvalidSpec', `annotation ${ANNOTATIONS.fallback} must be PlatformAccount or Forbid`)
  if (choice === 'PlatformAccount') return platformOf(facts, { namespace, region, isChosen: true })
  if (facts.isLegacy) return legacyOf(facts, region)
  const words = [wordsOf(machine, namespace), wordsOf(cluster, namespace)]
  const wrong = words.find((each) => !each.ok)
  if (wrong !== undefined && !wrong.ok) return refused('InvalidSpec', wrong.message)
  // The template's words go before the cluster's.
  const said = words.find((each) => !isSilent(each))
  if (said !== undefined && said.ok) return ownerOf(facts, said, { namespace, region, secrets })
  if (choice === 'Forbid') return nobody(namespace)
  return platformOf(facts, { namespace, region, isChosen: false })
}

function nobody(namespace: string): Refused {
  return refused(
    'OwnerNotAuthorized',
    `nobody is named as the owner: set spec.ownerBindingRef or spec.userEmail to an owner that is bound to namespace ${namespace}`,
  )
}

function legacyOf(facts: Facts, region: string): Selected {
  const place = facts.legacyPlace?.(region)
  if (place === undefined)
    return refused('ServiceAccountRejected', 'the legacy mode has no credentials: set CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD')
  return place.ok ? { ok: true, kind: 'Legacy', region } : refused('RegionNotAllowed', place.why)
}

type PlatformWish = { readonly namespace: string; readonly region: string; readonly isChosen: boolean }

/** The platform's own account. `isChosen`: for this very cluster; else an Impersonator must offer it to those who name nobody. */
function platformOf(facts: Facts, { namespace, region, isChosen }: PlatformWish): Selected {
  const offering = facts.impersonators.filter(
    (each) => (isChosen || each.fallback === 'PlatformAccount') && refusalOfImpersonator(facts, each, namespace) === undefined,
  )
  if (offering.length === 0) {
    if (!isChosen) return nobody(namespace)
    return refused(
      'ImpersonationForbidden',
      `no CloudSigmaImpersonator allows namespace ${namespace}; the platform's account is reached by its hosts`,
    )
  }
  if (!facts.hasPlatform)
    return refused(
      'ServiceAccountRejected',
      "there are no credentials of the platform's account: set CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD",
    )
  const reaching = offering.flatMap((each) => {
    const place = each.place(region)
    return place.ok ? [{ each, origin: place.endpoint.origin }] : []
  })
  const [first, ...others] = reaching.toSorted((a, b) => order(a.each, b.each))
  if (first === undefined)
    return refused('RegionNotAllowed', `region ${region} is in no CloudSigmaImpersonator's table that serves namespace ${namespace}`)
  if (others.some(({ origin }) => origin !== first.origin))
    return refused(
      'RegionNotAllowed',
      `region ${region} has several hosts, by several CloudSigmaImpersonators that serve namespace ${namespace}`,
    )
  return { ok: true, kind: 'PlatformAccount', region, impersonator: first.each.name }
}

function order(a: ImpersonatorFacts, b: ImpersonatorFacts): number {
  return a.name.localeCompare(b.name)
}

type Named = { readonly namespace: string; readonly region: string; readonly secrets: SecretWords }
type Said = Extract<Words, { ok: true }>

/** Every word must lead to one and the same user. */
function ownerOf(facts: Facts, said: Said, { namespace, region, secrets }: Named): Selected {
  const where = { namespace, region, purpose: 'operate' } as const
  const bound = facts.bindings(namespace)
  const found: (readonly CloudSigmaOwnerBinding[])[] = []
  const emails = new Set(said.emails)
  for (const name of said.secrets) {
    const email = normalizeEmail(secrets.get(name) ?? '')
    if (email === undefined)
      return refused('InvalidSpec', `Secret ${name}, which spec.userRef names, holds no e-mail address in key userEmail`)
    emails.add(email)
  }
  for (const name of said.bindings) found.push(bound.filter(({ metadata }) => metadata.name === name))
  for (const email of emails) {
    const fitting = bound.filter(({ spec }) => normalizeEmail(spec.subject.emailAtBinding) === email)
    const live = fitting.filter((each) => bestOf(facts, [each], where).ok)
    if (live.length > 0 || fitting.length === 0) {
      found.push(live)
      continue
    }
    // One that ended says whose the address was, which may be somebody else's by now (H-6): it refuses, and leads to nobody.
    const ended = bestOf(facts, fitting, where)
    if (!ended.ok) return ended
  }
  const users = new Set<string>()
  for (const bindings of found) {
    if (bindings.length === 0)
      return refused(
        'OwnerNotAuthorized',
        `the owner that is named here is not bound to namespace ${namespace}; the platform has to bind it (ascribe owners bind)`,
      )
    for (const { spec } of bindings) users.add(spec.subject.userUUID.toLowerCase())
  }
  const [userUUID, ...others] = users
  if (userUUID === undefined) return nobody(namespace)
  if (others.length > 0)
    return refused('InvalidSpec', 'two different owners are named here; name one, by spec.ownerBindingRef if an address fits two bindings')
  const standing = bestOf(facts, bound.filter((each) => isSameUser(each, userUUID)).toSorted(byPreference(said.bindings[0])), where)
  if (!standing.ok) return standing
  const { account } = standing
  const binding = bound.find(({ metadata }) => metadata.name === account.binding?.name)
  // Without it the binding could be deleted, gone, before what was made by it is cleaned up.
  if (binding?.metadata.finalizers?.includes(FINALIZERS.ownerBinding) !== true)
    return waiting('WaitingForBinding', `CloudSigmaOwnerBinding ${account.binding?.name} is new and not held yet`)
  return { ok: true, kind: 'Owner', account, pin: { kind: 'Owner', userUUID, region, binding: account.binding?.name } }
}
