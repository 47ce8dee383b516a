import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'
import { spawnTied } from '../support/tied-process.ts'
import type { TiedProcess } from '../support/tied-process.ts'
import { createApi } from './api.ts'
import type { Api } from './api.ts'
import type { KubeBinaries } from './install.ts'

/** Who calls: a name and the groups that the server will believe. */
export type User = { readonly name: string; readonly groups?: readonly string[] }

/** etcd and kube-apiserver on loopback, with nothing in them. Ends with us, however we end. */
export type ControlPlane = AsyncDisposable & {
  readonly url: string
  /** Of its own: kubeconfigs, logs, certificates. Removed at the end. */
  readonly dir: string
  /** Path of the kubeconfig of `system:masters`. */
  readonly kubeconfig: string
  /** The certificate of the server and of who signed it, PEM; `apiserver.key` is the key of the first. */
  readonly ca: string
  /** As `system:masters`. */
  readonly admin: Api
  /** Path of a kubeconfig of one of the users given at start. */
  kubeconfigOf(name: string): string
  /** As one of the users given at start. */
  as(name: string): Api
  /** Of a ServiceAccount that is there, with a token of the server's, an hour. */
  asServiceAccount(namespace: string, name: string): Promise<{ readonly kubeconfig: string; readonly api: Api }>
  /** `kill -9`. */
  killServer(): Promise<void>
  /** Starts again what was killed, on the same port and data. */
  startServer(): Promise<void>
  /** The last lines of a program's log. */
  log(program: 'etcd' | 'kube-apiserver' | 'kube-controller-manager'): string
}

export type ControlPlaneOptions = {
  readonly binaries: KubeBinaries
  /** Beside `admin`. */
  readonly users?: readonly User[]
  /** Garbage collection, ends of namespaces, ServiceAccounts, aggregated roles. 90 MB more. Default false. */
  readonly controllerManager?: boolean
  /** More flags of kube-apiserver, `--min-request-timeout=5` for example. */
  readonly apiserverFlags?: readonly string[]
}

const READY_MS_MAX = 90_000
const POLL_MS = 50
/** The server waits for its watchers for many seconds; everything here is disposable. */
const STOP_MS = 1_000
const LOG_LINES = 15
const CONTROLLERS = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
]

/** Starts a control plane; ready after 3 to 5 s on an idle machine. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { binaries, users = [], controllerManager = false, apiserverFlags = [] } = options
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-kube-'))
  const tokens = new Map<string, string>()
  const running = new Map<string, TiedProcess>()
  const etcdPort = await freePort()
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`

  function run(name: string, command: string, args: readonly string[]): void {
    const child = spawnTied(command, args, { cwd: dir })
    const log = createWriteStream(join(dir, `${name}.log`), { flags: 'a' })
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    child.once('close', () => log.end())
    running.set(name, child)
  }

  function log(name: string): string {
    return readFileSync(join(dir, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-LOG_LINES)
      .join('\n')
  }

  async function ready(name: string, isReady: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + READY_MS_MAX
    while (!(await isReady().catch(() => false))) {
      const child = running.get(name)
      if (child === undefined || child.exitCode !== null || Date.now() > deadline)
        throw new Error(`${name} did not become ready:\n${log(name)}`)
      await delay(POLL_MS)
    }
  }

  async function stop(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = running.get(name)
    running.delete(name)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(patience)
  }

  const ca = (): string => readFileSync(join(dir, 'apiserver.crt'), 'utf8')

  function writeKubeconfig(name: string, token: string): string {
    const path = join(dir, `${name.replaceAll(/[^\w.-]/g, '_')}.kubeconfig`)
    writeFileSync(path, kubeconfigText({ url, ca: ca(), token }), { mode: 0o600 })
    return path
  }

  async function startServer(): Promise<void> {
    run('kube-apiserver', binaries.apiserver, [...serverFlags({ dir, port, etcdPort, url }), ...apiserverFlags])
    await ready(
      'kube-apiserver',
      async () => (await createApi({ url, ca: ca(), token: tokens.get('admin') ?? '' }).get('/readyz')).status === 200,
    )
  }

  async function dispose(): Promise<void> {
    for (const name of ['kube-controller-manager', 'kube-apiserver', 'etcd']) await stop(name, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
  }

  try {
    const rows = [{ name: 'admin', groups: ['system:masters'] }, ...users].map(({ name, groups = [] }, index) => {
      const token = randomBytes(16).toString('hex')
      tokens.set(name, token)
      return `${token},${name},u${index},"${groups.join(',')}"\n`
    })
    writeFileSync(join(dir, 'tokens.csv'), rows.join(''), { mode: 0o600 })
    writeServiceAccountKeys(dir)
    run('etcd', binaries.etcd, etcdFlags({ dir, port: etcdPort }))
    await startServer()
    for (const [name, token] of tokens) writeKubeconfig(name, token)
    if (controllerManager) {
      const at = await freePort()
      run('kube-controller-manager', binaries.controllerManager, managerFlags({ dir, port: at }))
      const probe = createApi({ url: `https://127.0.0.1:${at}`, ca: undefined, token: '' })
      await ready('kube-controller-manager', async () => (await probe.get('/healthz')).status === 200)
    }
  } catch (error) {
    await dispose()
    throw error
  }

  const as = (name: string): Api => {
    const token = tokens.get(name)
    if (token === undefined) throw new Error(`Cannot act as ${name}: it was not among the users at the start`)
    return createApi({ url, ca: ca(), token })
  }
  return {
    url,
    dir,
    kubeconfig: join(dir, 'admin.kubeconfig'),
    ca: ca(),
    admin: as('admin'),
    kubeconfigOf: (name) => join(dir, `${name.replaceAll(/[^\w.-]/g, '_')}.kubeconfig`),
    as,
    async asServiceAccount(namespace, name) {
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
      const answer = await as('admin').post(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, body)
      const token = (answer.body as { status?: { token?: string } }).status?.token
      if (token === undefined) throw new Error(`Cannot get a token of ${namespace}/${name}: ${answer.text.slice(0, 300)}`)
      return { kubeconfig: writeKubeconfig(`sa-${namespace}-${name}`, token), api: createApi({ url, ca: ca(), token }) }
    },
    killServer: () => stop('kube-apiserver', 'SIGKILL'),
    startServer,
    log,
    [Symbol.asyncDispose]: dispose,
  }
}

function writeServiceAccountKeys(dir: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  writeFileSync(join(dir, 'sa.key'), privateKey, { mode: 0o600 })
  writeFileSync(join(dir, 'sa.pub'), publicKey)
}

/** JSON is YAML: no indentation to get wrong. */
function kubeconfigText({ url, ca, token }: { readonly url: string; readonly ca: string; readonly token: string }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'peer',
    clusters: [{ name: 'peer', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    contexts: [{ name: 'peer', context: { cluster: 'peer', user: 'user' } }],
    users: [{ name: 'user', user: { token } }],
  })
}

function etcdFlags({ dir, port }: { readonly dir: string; readonly port: number }): readonly string[] {
  const at = `http://127.0.0.1:${port}`
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    '--log-level=error',
    '--unsafe-no-fsync=true',
    `--listen-client-urls=${at}`,
    `--advertise-client-urls=${at}`,
    '--listen-peer-urls=http://127.0.0.1:0',
  ]
}

type ServerPlace = { readonly dir: string; readonly port: number; readonly etcdPort: number; readonly url: string }

function serverFlags({ dir, port, etcdPort, url }: ServerPlace): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    // Without a default route the server finds no address of its own, and one of loopback may not be an endpoint.
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    // It makes its own certificate there.
    `--cert-dir=${dir}`,
    `--token-auth-file=${join(dir, 'tokens.csv')}`,
    `--service-account-issuer=${url}/`,
    `--service-account-key-file=${join(dir, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(dir, 'sa.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
    '--disable-admission-plugins=ServiceAccount',
    '--v=0',
  ]
}

function managerFlags({ dir, port }: { readonly dir: string; readonly port: number }): readonly string[] {
  return [
    `--kubeconfig=${join(dir, 'admin.kubeconfig')}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(dir, 'manager')}`,
    `--service-account-private-key-file=${join(dir, 'sa.key')}`,
    `--root-ca-file=${join(dir, 'apiserver.crt')}`,
    '--v=0',
    `--controllers=${CONTROLLERS.join(',')}`,
  ]
}
