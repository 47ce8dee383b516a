import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { createMeters } from '@ascribe/service'
import { NAMESPACES, createKubeClient, createKubeConnection, isKubeError } from '../src/index.ts'
import type { KubeConnection } from '../src/index.ts'
import { createFakeClocks } from '../src/testing.ts'

type Folder = { readonly path: string; file(name: string, text: string): string } & Disposable

function temporary(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'ascribe-kube-test-'))
  return {
    path,
    file(name, text) {
      const file = join(path, name)
      mkdirSync(join(file, '..'), { recursive: true })
      writeFileSync(file, text, { mode: 0o600 })
      return file
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

function config(cluster: object, user: object): string {
  return JSON.stringify({
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'home' } }],
    'current-context': 'x',
  })
}

const read = (connection: KubeConnection): Promise<unknown> => createKubeClient(connection).get(NAMESPACES, { name: 'default' })

test('client-node-1240: a token that was rotated on disk is used at once when the old one is refused', async () => {
  await using kube = await startSandboxKube()
  using folder = temporary()
  const old = kube.token()
  const tokenFile = folder.file('token', `${old}\n`)
  const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }
  const kubeconfig = folder.file('config', config({ server: kube.url, 'insecure-skip-tls-verify': true }, user))
  await using connection = await createKubeConnection({ kubeconfig, clocks: createFakeClocks() })
  assert.equal(connection.namespace, 'home')
  await read(connection)
  folder.file('token', kube.token())
  kube.revoke(old)
  kube.clearLog()
  await read(connection)
  assert.deepEqual(
    kube.log.map(({ status }) => status),
    [401, 200],
  )
  await read(connection)
  assert.equal(kube.log.length, 3)
})

test('a kubeconfig is read again when its credentials are refused, and not before', async () => {
  await using kube = await startSandboxKube()
  using folder = temporary()
  const clocks = createFakeClocks()
  const tokenFile = folder.file('token', kube.token({ name: 'old' }))
  const plain = (): string => config({ server: kube.url, 'insecure-skip-tls-verify': true }, { token: readFileSync(tokenFile, 'utf8') })
  const kubeconfig = folder.file('config', plain())
  await using connection = await createKubeConnection({ kubeconfig, clocks })
  await read(connection)
  folder.file('config', config({ server: kube.url, 'insecure-skip-tls-verify': true }, { token: 'unknown' }))
  await clocks.advance(20_000)
  await read(connection)
  kube.revoke(readFileSync(tokenFile, 'utf8'))
  folder.file('config', config({ server: kube.url, 'insecure-skip-tls-verify': true }, { token: kube.token({ name: 'new' }) }))
  await read(connection)
  assert.deepEqual(
    kube.log.map(({ user }) => user),
    ['old', 'old', '', 'new'],
  )
})

test('credentials that are refused twice are refused: no third request', async () => {
  await using kube = await startSandboxKube()
  using folder = temporary()
  const kubeconfig = folder.file('config', config({ server: kube.url, 'insecure-skip-tls-verify': true }, { token: 'wrong' }))
  await using connection = await createKubeConnection({ kubeconfig })
  await assert.rejects(read(connection), (error) => isKubeError(error, 'Unauthorized') && !JSON.stringify(error).includes('wrong'))
  assert.equal(kube.log.length, 2)
})

test('client-node-228: an exec plugin runs once for all who wait, again when its credential expires or is refused', async () => {
  await using kube = await startSandboxKube()
  using folder = temporary()
  const runs = folder.file('runs', '')
  const tokenFile = folder.file('token', kube.token())
  const script = folder.file(
    'plugin.mjs',
    `import { appendFileSync, readFileSync } from 'node:fs'
appendFileSync(${JSON.stringify(runs)}, 'x')
console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: {
  token: readFileSync(${JSON.stringify(tokenFile)}, 'utf8'), expirationTimestamp: new Date(Date.now() + 3600_000).toISOString() } }))`,
  )
  const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [script] } }
  const kubeconfig = folder.file('config', config({ server: kube.url, 'insecure-skip-tls-verify': true }, user))
  await using connection = await createKubeConnection({ kubeconfig })
  await Promise.all(Array.from({ length: 8 }, () => read(connection)))
  assert.equal(readFileSync(runs, 'utf8'), 'x')
  kube.revoke(readFileSync(tokenFile, 'utf8'))
  folder.file('token', kube.token())
  await Promise.all([read(connection), read(connection)])
  assert.equal(readFileSync(runs, 'utf8'), 'xx')
})

test('createKubeConnection() says what is wrong with a kubeconfig, and shows nothing of its credentials', async () => {
  using folder = temporary()
  const at = (name: string, text: string): string => folder.file(name, text)
  const wrong: [string, RegExp][] = [
    [join(folder.path, 'none'), /Cannot read kubeconfig .*none/],
    [at('no-context', JSON.stringify({ clusters: [], users: [], contexts: [] })), /names no cluster/],
    [at('scheme', config({ server: 'ftp://127.0.0.1' }, { token: 'sesame' })), /no http or https address/],
    [at('plain', config({ server: 'http://10.1.2.3:8080' }, { token: 'sesame' })), /plain http, which is for loopback only/],
    [at('socks', config({ server: 'https://127.0.0.1:1', 'proxy-url': 'socks5://127.0.0.1:2' }, { token: 'sesame' })), /socks proxy/],
  ]
  for (const [kubeconfig, message] of wrong)
    await assert.rejects(
      createKubeConnection({ kubeconfig }),
      (error) => error instanceof Error && message.test(error.message) && !error.message.includes('sesame'),
    )
  await assert.rejects(createKubeConnection({}), /neither a kubeconfig nor the service account/)
  await assert.rejects(
    createKubeConnection({ kubeconfig: at('context', config({ server: 'https://127.0.0.1:1' }, {})), context: 'other' }),
    /no context other/,
  )
})

test('an exec plugin that fails is named, and says one line', async () => {
  using folder = temporary()
  const user = {
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', 'console.error("no session\\nsecret line"); process.exit(1)'],
    },
  }
  const kubeconfig = folder.file('config', config({ server: 'http://127.0.0.1:1', 'insecure-skip-tls-verify': true }, user))
  await using connection = await createKubeConnection({ kubeconfig })
  await assert.rejects(
    read(connection),
    (error) => error instanceof Error && /no session/.test(error.message) && !/secret line/.test(error.message),
  )
})

test('requests are counted under the names of client-go', async () => {
  await using kube = await startSandboxKube()
  const meters = createMeters()
  await using connection = await createKubeConnection({ kubeconfig: kube.kubeconfig, meters })
  await read(connection)
  const host = new URL(kube.url).host
  assert.match(meters.render(), new RegExp(`rest_client_requests_total\\{code="200",host="${host}",method="GET"\\} 1`))
})

type Authority = { readonly ca: string; readonly key: string; readonly cert: string }

/** A certificate for 127.0.0.1 that vouches for itself. */
function authority(folder: Folder, name: string): Authority {
  const [key, cert] = [join(folder.path, `${name}.key`), join(folder.path, `${name}.crt`)]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  return { ca: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

/** A pod's view: the files that kubelet mounts, and a server that wants one token. */
async function startPod(
  folder: Folder,
): Promise<{ server: Server; seen: (string | undefined)[]; token: { now: string }; pathPrefix: string } & AsyncDisposable> {
  const first = authority(folder, 'first')
  const token = { now: 'one' }
  const seen: (string | undefined)[] = []
  const server = createServer({ key: first.key, cert: first.cert }, (request, response) => {
    seen.push(request.headers.authorization)
    const isKnown = request.headers.authorization === `Bearer ${token.now}`
    const body = isKnown
      ? { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'default' } }
      : { kind: 'Status', reason: 'Unauthorized', code: 401 }
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const mounted = 'var/run/secrets/kubernetes.io/serviceaccount'
  folder.file(`${mounted}/token`, 'one')
  folder.file(`${mounted}/namespace`, 'ascribe-system')
  folder.file(`${mounted}/ca.crt`, first.ca)
  const before = { host: process.env['KUBERNETES_SERVICE_HOST'], port: process.env['KUBERNETES_SERVICE_PORT'] }
  process.env['KUBERNETES_SERVICE_HOST'] = '127.0.0.1'
  process.env['KUBERNETES_SERVICE_PORT'] = String((server.address() as AddressInfo).port)
  return {
    server,
    seen,
    token,
    pathPrefix: folder.path,
    async [Symbol.asyncDispose]() {
      for (const [name, value] of [
        ['KUBERNETES_SERVICE_HOST', before.host],
        ['KUBERNETES_SERVICE_PORT', before.port],
      ] as const) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
      server.closeAllConnections()
      server.close()
    },
  }
}

test('platformatic-world-119: in a pod a rotated token and a rotated CA bundle are taken up without a restart', async () => {
  using folder = temporary()
  await using pod = await startPod(folder)
  const clocks = createFakeClocks()
  await using connection = await createKubeConnection({ inCluster: { pathPrefix: pod.pathPrefix }, clocks })
  assert.equal(connection.namespace, 'ascribe-system')
  await read(connection)
  const mounted = 'var/run/secrets/kubernetes.io/serviceaccount'
  pod.token.now = 'two'
  folder.file(`${mounted}/token`, 'two')
  await read(connection)
  assert.deepEqual(pod.seen, ['Bearer one', 'Bearer one', 'Bearer two'])

  // The server gets a certificate of another authority; kubelet has mounted the new bundle.
  const second = authority(folder, 'second')
  pod.server.setSecureContext({ key: second.key, cert: second.cert })
  pod.server.closeAllConnections()
  await assert.rejects(read(connection), (error) => isKubeError(error, 'Network'))
  folder.file(`${mounted}/ca.crt`, second.ca)
  await clocks.advance(10_001)
  await read(connection)
})

test('a server whose certificate nobody vouches for is not spoken to', async () => {
  using folder = temporary()
  await using pod = await startPod(folder)
  folder.file('var/run/secrets/kubernetes.io/serviceaccount/ca.crt', authority(folder, 'stranger').ca)
  await using connection = await createKubeConnection({ inCluster: { pathPrefix: pod.pathPrefix } })
  await assert.rejects(read(connection), (error) => isKubeError(error, 'Network'))
  assert.deepEqual(pod.seen, [])
})
