import { createRegionTable } from '@ascribe/impersonation'
import { FINALIZERS } from '@ascribe/kinds'
import type { CloudSigmaImpersonator, CloudSigmaOwnerBinding } from '@ascribe/kinds'
import type { Facts } from '../../src/authority/facts.ts'
import { impersonatorOf, placeOf } from '../../src/authority/impersonator-facts.ts'
import type { NamingObject } from '../../src/authority/types.ts'

/** Worlds for decisions: one namespace `a`, one Impersonator `prod`, one binding, unless a test says otherwise. */
export const ALICE = '11111111-1111-4111-8111-111111111111'
export const BOB = '22222222-2222-4222-8222-222222222222'
export const NAMESPACE_UID = 'uid-of-a'
export const NOW: number = Date.parse('2026-11-22T12:00:00Z')

export function impersonator(
  over: { name?: string; spec?: Partial<CloudSigmaImpersonator['spec']>; isDeleting?: boolean } = {},
): CloudSigmaImpersonator {
  return {
    apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1',
    kind: 'CloudSigmaImpersonator',
    metadata: {
      name: over.name ?? 'prod',
      uid: `uid-${over.name ?? 'prod'}`,
      generation: 1,
      ...(over.isDeleting === true && { deletionTimestamp: '2026-11-22T11:00:00Z' }),
    },
    spec: {
      issuer: 'https://oauth.example/realms/cloudsigma',
      regions: [
        { name: 'zrh', apiHost: 'direct.zrh.example', impersonateHost: 'direct.zrh.example' },
        { name: 'sjc', apiHost: 'direct.sjc.example', impersonateHost: 'direct.sjc.example' },
      ],
      allowedNamespaces: { mode: 'Selected', names: ['a'] },
      ...over.spec,
    },
  }
}

export type BindingOver = {
  readonly name?: string
  readonly email?: string
  readonly user?: string
  readonly namespace?: string
  readonly uid?: string
  readonly isDeleting?: boolean
  readonly isHeld?: boolean
  readonly createdAt?: string
  readonly spec?: Partial<CloudSigmaOwnerBinding['spec']>
}

export function binding(over: BindingOver = {}): CloudSigmaOwnerBinding {
  const { name = 'alice', email = 'alice@example.com', user = ALICE, namespace = 'a', uid = NAMESPACE_UID, isHeld = true } = over
  return {
    apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1',
    kind: 'CloudSigmaOwnerBinding',
    metadata: {
      name,
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: over.createdAt ?? '2026-11-01T00:00:00Z',
      ...(isHeld && { finalizers: [FINALIZERS.ownerBinding] }),
      ...(over.isDeleting === true && { deletionTimestamp: '2026-11-22T11:00:00Z' }),
    },
    spec: {
      namespaceRef: { name: namespace, uid },
      subject: { userUUID: user, emailAtBinding: email },
      impersonatorRef: { name: 'prod' },
      evidence: { type: 'AdminAssertion' },
      ...over.spec,
    },
  }
}

export type World = {
  readonly impersonators?: readonly CloudSigmaImpersonator[]
  readonly bindings?: readonly CloudSigmaOwnerBinding[]
  readonly namespaces?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly isReady?: boolean
  readonly now?: number
  readonly isLegacy?: boolean
  readonly hasLegacy?: boolean
  readonly hasPlatform?: boolean
}

export function factsOf(world: World = {}): Facts {
  const { impersonators = [impersonator()], bindings = [binding()], namespaces = { a: NAMESPACE_UID }, labels = {} } = world
  const served = impersonators.map((each) => impersonatorOf(each))
  const legacy = createRegionTable({ entries: { zrh: { api: 'https://zrh.example' } } })
  return {
    isReady: world.isReady ?? true,
    now: world.now ?? NOW,
    namespace(name) {
      const uid = namespaces[name]
      return uid === undefined ? undefined : { name, uid, labels }
    },
    impersonator: (name) => served.find((each) => each.name === name),
    impersonators: served,
    bindings: (namespace) => bindings.filter(({ spec }) => spec.namespaceRef.name === namespace),
    isLegacy: world.isLegacy ?? false,
    legacyPlace:
      world.hasLegacy === true || world.isLegacy === true ? (region) => placeOf(legacy, region, 'it is not in the table') : undefined,
    hasPlatform: world.hasPlatform ?? false,
  }
}

export function cluster(
  spec: NamingObject['spec'] = { userEmail: 'alice@example.com' },
  annotations?: Record<string, string>,
): NamingObject {
  return { metadata: { name: 'c', namespace: 'a', ...(annotations !== undefined && { annotations }) }, spec: { region: 'zrh', ...spec } }
}
