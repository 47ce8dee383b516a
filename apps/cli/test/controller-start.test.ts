import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'

// What `ascribe controller` says when it cannot start: what is wrong, and what to type.

const CLI = fileURLToPath(new URL('../src/main.ts', import.meta.url))
let kube: SandboxKube
let dir: string
before(async () => {
  kube = await startSandboxKube()
  dir = mkdtempSync(join(tmpdir(), 'ascribe-controller-start-'))
})
after(async () => {
  await kube[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

async function ends(...args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(ASCRIBE_|CLOUDSIGMA_|KUBE)/.test(name)))
  const child = spawn(process.execPath, [CLI, 'controller', '--data', join(dir, 'data'), '--json', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number]
  return { code, stderr }
}

test('ascribe controller without the definitions says which command installs them', async () => {
  kube.setServed('cloudsigmamachines', false)
  const { code, stderr } = await ends('--kubeconfig', kube.kubeconfig)
  kube.setServed('cloudsigmamachines', true)
  assert.equal(code, 2)
  assert.match(stderr, /cloudsigmamachines\.infrastructure\.cluster\.x-k8s\.io/)
  assert.match(stderr, /ascribe crds \| kubectl apply/)
})

test('ascribe controller without Cluster API says so', async () => {
  kube.setServed('clusters', false)
  const { code, stderr } = await ends('--kubeconfig', kube.kubeconfig)
  kube.setServed('clusters', true)
  assert.equal(code, 2)
  assert.match(stderr, /Cluster API is not installed/)
  assert.match(stderr, /clusterctl init/)
})

test('ascribe controller without rights names the manifests', async () => {
  using _ = kube.fault({
    match: { plural: 'cloudsigmamachines' },
    effect: { kind: 'status', status: 403, reason: 'Forbidden', message: 'cloudsigmamachines is forbidden' },
  })
  const { code, stderr } = await ends('--kubeconfig', kube.kubeconfig)
  assert.equal(code, 2)
  assert.match(stderr, /ascribe manifests \| kubectl apply/)
})

test('ascribe controller where nobody answers says where it looked, and not with what token', async () => {
  const dead = join(dir, 'dead')
  writeFileSync(
    dead,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1', 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'a-token-of-a-test' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  )
  const gone = await ends('--kubeconfig', dead)
  assert.equal(gone.code, 2)
  assert.match(gone.stderr, /nobody answers there/)
  assert.doesNotMatch(gone.stderr, /a-token-of-a-test/)
})

test('ascribe controller without a kubeconfig, or with one that is none, is a wrong call', async () => {
  const missing = await ends('--kubeconfig', join(dir, 'missing'))
  assert.equal(missing.code, 2)
  assert.match(missing.stderr, /missing/)
  const bare = await ends()
  assert.equal(bare.code, 2)
  assert.match(bare.stderr, /Say --kubeconfig FILE/)
})
