import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OWNER_BINDINGS } from '@ascribe/kinds'
import { SECRETS } from '@ascribe/kube'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { OTHER, USER, eventually, openControllerWorld } from './support/controller-world.ts'
import type { ControllerWorld } from './support/controller-world.ts'
import { ask, askLines, run } from './support/process.ts'

let world: ControllerWorld
let data: string
let env: Record<string, string>
before(async () => {
  world = await openControllerWorld(() => startSandboxKube())
  data = world.dir()
  env = {
    CLOUDSIGMA_OAUTH_URL: new URL(world.cloud.issuer).origin,
    CLOUDSIGMA_CLIENT_ID: 'kubernetes_cluster_service',
    CLOUDSIGMA_CLIENT_SECRET: 'kcs-secret',
    CLOUDSIGMA_API_URL: world.cloud.apiUrl,
    CLOUDSIGMA_REGIONS: 'zrh,sjc',
    CLOUDSIGMA_REGION: 'zrh',
  }
  await world.owner('team', USER)
})
after(async () => world?.[Symbol.asyncDispose]())

const kubeconfig = (): readonly string[] => ['--kubeconfig', world.kubeconfig, '--data', data]

test('owners bind pins who the cloud says it is, once; verify compares, and a list shows it', async () => {
  await run(['owners', 'list', ...kubeconfig()], { env })
  const bind = [
    'owners',
    'bind',
    'team',
    '--owner',
    OTHER,
    '--reason',
    'ticket 4711',
    '--impersonator',
    'prod',
    '--max-servers',
    '3',
    ...kubeconfig(),
  ]
  const made = await ask<{ outcome: string; binding: string; user_id: string }>(bind, { env })
  assert.deepEqual([made.outcome, made.user_id], ['made', world.userOf(OTHER)])
  const binding = await world.kube.get(OWNER_BINDINGS, { name: made.binding })
  assert.deepEqual([binding.spec.evidence.type, binding.spec.limits?.maxServers], ['AdminAssertion', 3])
  assert.equal((await ask<{ outcome: string }>(bind, { env })).outcome, 'found')
  const unknown = await run([...bind.slice(0, 4), 'nobody@example.com', ...bind.slice(5)], { env })
  assert.equal(unknown.code, 2, unknown.stderr)
  const verified = await ask<readonly { ok: boolean }[]>(['owners', 'verify', made.binding, ...kubeconfig()], { env })
  assert.deepEqual(
    verified.map(({ ok }) => ok),
    [true],
  )
  // The address goes over to somebody else: the id does not.
  world.cloud.changeUser(OTHER, { email: 'renamed@example.com' })
  const moved = await run(['owners', 'verify', made.binding, ...kubeconfig(), '--json'], { env })
  world.cloud.changeUser('renamed@example.com', { email: OTHER })
  assert.equal(moved.code, 1)
  const listed = await ask<readonly { binding: string; state: string }[]>(['owners', 'list', ...kubeconfig()], { env })
  assert.ok(listed.some(({ binding: name, state }) => name === made.binding && state === 'live'))
})

test('owners verify asks by the Impersonator of the binding, whatever the settings are', async () => {
  type Verdict = { readonly binding: string; readonly ok: boolean; readonly detail: string }
  const verdictsOf = async (more: Record<string, string>): Promise<readonly Verdict[]> =>
    JSON.parse((await run(['owners', 'verify', ...kubeconfig(), '--json'], { env: more })).stdout) as readonly Verdict[]
  // Neither is there need for settings, nor do wrong ones count.
  for (const settings of [{}, { ...env, CLOUDSIGMA_CLIENT_SECRET: 'another', CLOUDSIGMA_OAUTH_URL: 'http://127.0.0.1:1' }]) {
    const verdicts = await verdictsOf(settings)
    assert.ok(verdicts.length >= 2 && verdicts.every(({ ok }) => ok), JSON.stringify(verdicts))
  }
  const { spec } = await world.kube.get(OWNER_BINDINGS, { name: 'team-owner' })
  const stray = (name: string, more: object): Promise<unknown> =>
    world.kube.create(OWNER_BINDINGS, { metadata: { name }, spec: { ...spec, ...more } })
  await stray('of-none', { impersonatorRef: { name: 'nobody' } })
  await stray('of-environment', { impersonatorRef: { name: 'environment' } })
  await stray('of-another', { namespaceRef: { name: 'team', uid: '00000000-0000-4000-8000-000000000000' } })
  await stray('expired', { expiresAt: '2026-01-01T00:00:00Z' })
  const calls = world.cloud.calls().length
  const refused = (await verdictsOf(env)).filter(({ ok }) => !ok)
  assert.deepEqual(Object.fromEntries(refused.map(({ binding, detail }) => [binding, detail])), {
    'of-none': 'CloudSigmaImpersonator nobody does not exist',
    // There is an Impersonator: the settings count no more, for the controller neither.
    'of-environment': 'CloudSigmaImpersonator environment does not exist',
    'of-another': 'namespace team is gone, or is another one of that name',
    expired: 'the binding is expired: nobody is asked',
  })
  assert.ok(world.cloud.calls().length > calls, 'the others were asked about')
  const secret = { namespace: 'ascribe-system', name: 'cloudsigma-impersonation' }
  const { data: kept } = await world.kube.get(SECRETS, secret)
  await world.kube.delete(SECRETS, secret)
  const without = (await verdictsOf(env)).find(({ binding }) => binding === 'team-owner')
  await world.kube.create(SECRETS, { metadata: secret, data: kept })
  for (const name of ['of-none', 'of-environment', 'of-another', 'expired']) await world.kube.delete(OWNER_BINDINGS, { name })
  assert.match(without?.detail ?? '', /Secret ascribe-system\/cloudsigma-impersonation does not exist/)
})

test('machines list and inspect say in plain words what stands in the way', async () => {
  world.cloud.setKnobs({ startOutcome: 'payment' })
  await using controller = await world.controller(['--sync', '1s', '--list-grace', '1s'], world.dir())
  await world.machine('team', 'poor')
  type Row = { name: string; trouble?: { reason: string }; why?: string; user?: string }
  const reason = async (): Promise<boolean> => {
    const rows = await ask<readonly Row[]>(['machines', 'list', '--trouble', ...kubeconfig()])
    return rows.some(({ name, trouble }) => name === 'poor' && trouble?.reason === 'InsufficientFunds')
  }
  await eventually(reason, async () => world.machines('team'))
  const inspected = await ask<Row>(['machines', 'inspect', 'team/poor', ...kubeconfig()])
  assert.match(inspected.why ?? '', /not enough money/)
  assert.equal(inspected.user, world.userOf(USER))
  const text = await run(['machines', 'inspect', 'team/poor', ...kubeconfig()])
  assert.match(text.stdout, /InsufficientFunds[\s\S]*tops the account up/)
  controller.kill('SIGTERM')
  await controller.ended
  world.cloud.setKnobs({ startOutcome: 'runs' })
})

test('doctor --kubeconfig looks at what is installed, who may be acted for, and who leads', async () => {
  type Finding = { what: string; state: string; detail: string }
  const found = await run(['doctor', ...kubeconfig(), '--json'], { env })
  const findings = found.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Finding)
  const of = (what: string): Finding | undefined => findings.find((each) => each.what === what)
  assert.equal(of('kinds')?.state, 'fine', found.stderr)
  assert.equal(of('impersonator prod')?.state, 'fine', JSON.stringify(of('impersonator prod')))
  assert.match(of('bindings')?.detail ?? '', /live/)
  assert.equal(of('policies')?.state, 'wrong', 'none was installed here')
  assert.ok(of('leader') !== undefined)
  assert.match(of('minter')?.detail ?? '', /none has published a certificate/)
  const lines = await askLines<Finding>(['doctor', '--kubeconfig', '/does/not/exist', '--data', data], { env }).catch(() => [])
  assert.equal(lines.length, 0, 'exit code 1: something is wrong')
})
