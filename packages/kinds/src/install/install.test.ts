import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { yamlStream } from '../manifest.ts'
import { policies } from '../policy/policies.ts'
import { clusterctlFiles } from './clusterctl.ts'
import { helmFiles } from './helm.ts'
import { manifests } from './manifests.ts'
import { boundNamespaceRights, rights } from './rights.ts'

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}
type Container = {
  readonly name: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly securityContext: object
}

const rulesOf = (kind: string): readonly (readonly [string, Rule])[] =>
  rights({ kdcBridge: true })
    .filter((object) => object.kind === kind)
    .flatMap((object) => (object['rules'] as readonly Rule[]).map((rule) => [object.metadata.name, rule] as const))

test('H-19: no role lists or watches Secrets, and none gets them in all namespaces', () => {
  for (const [name, { resources, verbs, resourceNames }] of [...rulesOf('ClusterRole'), ...rulesOf('Role')]) {
    if (!resources.includes('secrets') && !(resources.includes('*') && name !== 'ascribe-platform')) continue
    assert.ok(!verbs.some((verb) => ['list', 'watch', '*', 'update', 'patch', 'delete'].includes(verb)), name)
    if (verbs.includes('get') && name !== 'ascribe-bound-namespace') assert.ok((resourceNames ?? []).length > 0, name)
  }
  // The one without names is given out by a RoleBinding in a bound namespace only.
  const given = rights({ kdcBridge: true }).filter((object) => JSON.stringify(object['roleRef'] ?? {}).includes('ascribe-bound-namespace'))
  assert.deepEqual(given, [])
})

test('boundNamespaceRights() is a RoleBinding for the controller that goes with its binding', () => {
  const object = boundNamespaceRights({ namespace: 'a', binding: { name: 'ada', uid: 'u-1' } })
  assert.equal(object.kind, 'RoleBinding')
  assert.deepEqual([object.metadata.name, object.metadata.namespace], ['ascribe-ada', 'a'])
  assert.deepEqual(object.metadata.ownerReferences, [
    { apiVersion: 'infrastructure.cluster.x-k8s.io/v1beta1', kind: 'CloudSigmaOwnerBinding', name: 'ada', uid: 'u-1' },
  ])
  assert.deepEqual(object['subjects'], [{ kind: 'ServiceAccount', name: 'ascribe-controller', namespace: 'ascribe-system' }])
})

test('every policy has a binding that is in force, and names service accounts of the namespace of the installation', () => {
  const objects = policies({ namespace: 'elsewhere' })
  const named = (kind: string): readonly string[] => objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name)
  assert.deepEqual(named('ValidatingAdmissionPolicy'), named('ValidatingAdmissionPolicyBinding'))
  const text = JSON.stringify(objects)
  assert.match(text, /system:serviceaccount:elsewhere:ascribe-controller/)
  assert.doesNotMatch(text, /ascribe-system/)
})

test('the container is called manager (C-10), reads a file for its secret (H-18), and may nothing', () => {
  const found = manifests({ kdcBridge: true, env: { ASCRIBE_NATS_URL: 'nats://n:4222' } }).find(({ kind }) => kind === 'Deployment')
  const deployment = found?.['spec'] as { template: { spec: { containers: readonly Container[]; securityContext: object } } }
  const { spec } = deployment.template
  const [container] = spec.containers
  assert.ok(container)
  assert.equal(container.name, 'manager')
  assert.ok(container.args.includes('--kdc-bridge') && container.args.includes('--leader-elect'))
  assert.doesNotMatch(JSON.stringify(container.env), /CLIENT_SECRET","valueFrom|secretKeyRef/)
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  assert.equal((spec.securityContext as { runAsNonRoot?: boolean }).runAsNonRoot, true)
  assert.deepEqual(container.env.find(({ name }) => name === 'ASCRIBE_NATS_URL')?.value, 'nats://n:4222')
})

test('H-24: only the minter, which has a service account of its own, gets and mounts the client Secret', () => {
  const holders = [...rulesOf('ClusterRole'), ...rulesOf('Role')]
    .filter(([, { resources, resourceNames = [] }]) => resources.includes('secrets') && resourceNames.includes('cloudsigma-impersonation'))
    .map(([name]) => name)
  assert.deepEqual(holders, ['ascribe-minter'])
  const deployments = manifests().filter(({ kind }) => kind === 'Deployment')
  const mounting = deployments.filter((object) => JSON.stringify(object).includes('cloudsigma-impersonation'))
  assert.deepEqual(
    mounting.map(({ metadata, spec }) => [
      metadata.name,
      (spec as { template: { spec: { serviceAccountName: string } } }).template.spec.serviceAccountName,
    ]),
    [['ascribe-minter', 'ascribe-minter']],
  )
  const controller = JSON.stringify(deployments.find(({ metadata }) => metadata.name === 'ascribe-controller'))
  assert.doesNotMatch(controller, /CLIENT_SECRET/)
  assert.match(controller, /"CLOUDSIGMA_MINTER_URL","value":"https:\/\/ascribe-minter\.ascribe-system\.svc"/)
  assert.match(controller, /"audience":"ascribe-minter"/)
})

test('with a certificate the broker is served, beside its own Service, and otherwise nothing of it is there', () => {
  const text = JSON.stringify(manifests({ brokerSecret: 'broker-tls' }))
  for (const part of [
    '"name":"ascribe-broker"',
    '--broker-port=9443',
    '--broker-cert=/etc/ascribe/broker/tls.crt',
    '"secretName":"broker-tls"',
  ])
    assert.ok(text.includes(part), part)
  assert.doesNotMatch(JSON.stringify(manifests()), /broker-(port|cert)|ascribe-broker/)
})

test('C-50, C-51: components have one Namespace, one Deployment with a container manager, and our label on everything', () => {
  const file = clusterctlFiles().find(({ path }) => path.endsWith('infrastructure-components.yaml'))
  const objects = parseAllDocuments(file?.text ?? '').map(
    (document) => document.toJS() as { kind: string; metadata: { labels?: Record<string, string> } },
  )
  assert.equal(objects.filter(({ kind }) => kind === 'Namespace').length, 1)
  const managers = objects.filter((object) => object.kind === 'Deployment' && JSON.stringify(object).includes('"name":"manager"'))
  assert.equal(managers.length, 1)
  for (const { kind, metadata } of objects)
    assert.equal(metadata.labels?.['cluster.x-k8s.io/provider'], 'infrastructure-ascribe-cloudsigma', kind)
  assert.match(file?.text ?? '', /image: \$\{ASCRIBE_IMAGE:=localhost\/ascribe:0\.1\.0\}/)
})

test('clusterctlFiles() are YAML in which every variable is one that clusterctl can fill', () => {
  for (const { path, text } of clusterctlFiles()) {
    for (const document of parseAllDocuments(text)) assert.deepEqual(document.errors, [], path)
    for (const [found] of text.matchAll(/\$\{[^}]*\}/g)) assert.match(found, /^\$\{[A-Z_]+(:=[^}]+)?\}$/, path)
  }
})

test("helmFiles() have no mark of ours left, and Helm's expressions are balanced", () => {
  for (const { path, text } of helmFiles()) {
    assert.doesNotMatch(text, /BLOCK_|@@/, path)
    const count = (pattern: RegExp): number => [...text.matchAll(pattern)].length
    assert.equal(count(/\{\{- ?(if|range|with) /g), count(/\{\{- ?end \}\}/g), path)
  }
})

test('yamlStream() repeats what is the same twice instead of referring to it', () => {
  const same = { a: 1 }
  assert.equal(yamlStream([{ x: same, y: same }]), 'x:\n  a: 1\ny:\n  a: 1\n')
})
