import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crds } from './crds.ts'
import { META_KEY_LENGTH_MAX, SERVER_META, DRIVE_META } from './names.ts'
import type { ClusterStatus, MachineSpec, MachineStatus, OwnerBindingSpec } from './types.ts'

type Node = { readonly properties?: Readonly<Record<string, Node>>; readonly items?: Node; readonly [key: string]: unknown }

function versionOf(kind: string): { readonly schema: { readonly openAPIV3Schema: Node }; readonly [key: string]: unknown } {
  const crd = crds().find(({ spec }) => (spec as { names: { kind: string } }).names.kind === kind)
  assert.ok(crd, kind)
  const { versions } = crd['spec'] as { readonly versions: readonly ReturnType<typeof versionOf>[] }
  assert.equal(versions.length, 1)
  const [version] = versions
  assert.ok(version)
  return version
}

function fieldsOf(kind: string, ...path: readonly string[]): readonly string[] {
  const node = path.reduce<Node | undefined>((at, name) => at?.properties?.[name], versionOf(kind).schema.openAPIV3Schema)
  return Object.keys(node?.properties ?? {}).toSorted()
}

test('crds() are six, of one version, and KdcCluster is not among them', () => {
  const kinds = crds().map(({ spec }) => (spec as { names: { kind: string } }).names.kind)
  assert.deepEqual(kinds.toSorted(), [
    'CloudSigmaCluster',
    'CloudSigmaClusterTemplate',
    'CloudSigmaImpersonator',
    'CloudSigmaMachine',
    'CloudSigmaMachineTemplate',
    'CloudSigmaOwnerBinding',
  ])
  for (const kind of kinds) assert.equal(versionOf(kind)['name'], 'v1beta1')
})

test('C-1, C-2, C-3: names, category, scope, status subresource, and both contract labels', () => {
  for (const { metadata, spec } of crds()) {
    const { names, scope, versions } = spec as {
      names: { plural: string; kind: string; listKind: string; categories: readonly string[] }
      scope: string
      versions: readonly { subresources: object }[]
    }
    assert.equal(metadata.name, `${names.kind.toLowerCase()}s.infrastructure.cluster.x-k8s.io`)
    assert.equal(metadata.labels?.['cluster.x-k8s.io/v1beta1'], 'v1beta1')
    assert.equal(metadata.labels?.['cluster.x-k8s.io/v1beta2'], 'v1beta1')
    assert.deepEqual(names.categories, ['cluster-api'])
    assert.equal(names.listKind, `${names.kind}List`)
    assert.equal(scope, /Impersonator|OwnerBinding/.test(names.kind) ? 'Cluster' : 'Namespaced')
    assert.deepEqual(versions[0]?.subresources, { status: {} })
  }
})

test('C-5: no definition keeps unknown fields, and none has failureDomains', () => {
  const text = JSON.stringify(crds())
  assert.doesNotMatch(text, /preserve-unknown-fields|failureDomains|"\$ref"|"oneOf"|"nullable"/)
})

test('definitions have the fields that the types name, and no others', () => {
  // `Record<keyof …>`: a field that is added to a type and not here does not compile.
  const machine: Readonly<Record<keyof Required<MachineSpec>, 0>> = {
    userEmail: 0,
    userRef: 0,
    ownerBindingRef: 0,
    cpu: 0,
    cpuCores: 0,
    memory: 0,
    disks: 0,
    nics: 0,
    tags: 0,
    meta: 0,
    providerID: 0,
  }
  assert.deepEqual(fieldsOf('CloudSigmaMachine', 'spec'), Object.keys(machine).toSorted())
  const status: Readonly<Record<keyof Required<MachineStatus>, 0>> = {
    ready: 0,
    initialization: 0,
    instanceID: 0,
    instanceState: 0,
    addresses: 0,
    failureDomain: 0,
    account: 0,
    conditions: 0,
    observedGeneration: 0,
    failureReason: 0,
    failureMessage: 0,
  }
  assert.deepEqual(fieldsOf('CloudSigmaMachine', 'status'), Object.keys(status).toSorted())
  const cluster: Readonly<Record<keyof Required<ClusterStatus>, 0>> = {
    ready: 0,
    initialization: 0,
    network: 0,
    loadBalancer: 0,
    account: 0,
    conditions: 0,
    observedGeneration: 0,
    failureReason: 0,
    failureMessage: 0,
  }
  assert.deepEqual(fieldsOf('CloudSigmaCluster', 'status'), Object.keys(cluster).toSorted())
  const binding: Readonly<Record<keyof Required<OwnerBindingSpec>, 0>> = {
    namespaceRef: 0,
    subject: 0,
    impersonatorRef: 0,
    evidence: 0,
    limits: 0,
    expiresAt: 0,
    allowCleanupAfterRevoke: 0,
  }
  assert.deepEqual(fieldsOf('CloudSigmaOwnerBinding', 'spec'), Object.keys(binding).toSorted())
})

test("a template's machines have all fields of a machine but providerID", () => {
  assert.deepEqual(
    fieldsOf('CloudSigmaMachineTemplate', 'spec', 'template', 'spec'),
    fieldsOf('CloudSigmaMachine', 'spec').filter((field) => field !== 'providerID'),
  )
  assert.deepEqual(fieldsOf('CloudSigmaClusterTemplate', 'spec', 'template', 'spec'), fieldsOf('CloudSigmaCluster', 'spec'))
})

test('H-8, C-36: everything of a machine but providerID has a rule that keeps it', () => {
  const { properties = {} } = versionOf('CloudSigmaMachine').schema.openAPIV3Schema
  const rules = (properties['spec']?.['x-kubernetes-validations'] ?? []) as readonly { readonly rule: string }[]
  for (const field of fieldsOf('CloudSigmaMachine', 'spec'))
    assert.ok(
      rules.some(({ rule }) => rule.includes(`self.${field} == oldSelf.${field}`)),
      field,
    )
})

test('conditions merge by type (C-43), so that server-side apply of two managers works', () => {
  for (const kind of [
    'CloudSigmaCluster',
    'CloudSigmaMachine',
    'CloudSigmaMachineTemplate',
    'CloudSigmaImpersonator',
    'CloudSigmaOwnerBinding',
  ]) {
    const node = versionOf(kind).schema.openAPIV3Schema.properties?.['status']?.properties?.['conditions']
    assert.equal(node?.['x-kubernetes-list-type'], 'map', kind)
    assert.deepEqual(node['x-kubernetes-list-map-keys'], ['type'])
  }
})

test('keys of meta are no longer than the cloud takes', () => {
  for (const key of [...Object.values(SERVER_META), ...Object.values(DRIVE_META)]) assert.ok(key.length <= META_KEY_LENGTH_MAX, key)
})
