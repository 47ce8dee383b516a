import { createHash } from 'node:crypto'
import { errorChain } from '@ascribe/kit'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clocks } from '../clocks.ts'
import { KubeConfigError } from '../errors.ts'

export type CredentialSource = {
  /** Path of a kubeconfig. */
  readonly kubeconfig?: string
  /** Instead of the kubeconfig's `current-context`. */
  readonly context?: string
  /** The service account of the pod, when there is no kubeconfig; a prefix for its paths, for tests. */
  readonly inCluster?: boolean | { readonly pathPrefix: string }
}

/** TLS settings of undici's connector. */
export type TlsSettings = {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** What a request needs beside its content. */
export type Credentials = {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsSettings
  /** Changes whenever `tls` does: connections made under another one are left. */
  readonly tlsId: string
}

export type CredentialStore = {
  readonly server: URL
  readonly namespace: string
  readonly proxyUrl: string | undefined
  /** Files and plugins are asked again every 10 s; in between what they said is kept. The official client keeps a token file for 60 s. */
  current(): Promise<Credentials>
  /** After a 401: drops what `refused` was, also from plugins' caches, and asks anew. */
  renew(refused: Credentials): Promise<Credentials>
}

/**
 * Kubelet rotates a token when a fifth of its life is left, at least two minutes; CA bundles overlap for longer. client-go looks
 * every minute. A 401 makes us look at once.
 */
const KEPT_MS = 10_000

/** Reads the kubeconfig, or the pod's service account, with the official client. @throws {KubeConfigError} */
export async function openCredentials(source: CredentialSource, clocks: Clocks): Promise<CredentialStore> {
  // 83 MB and 0.7 s: commands that never talk to Kubernetes do not pay for it.
  const official = await import('@kubernetes/client-node')
  const load = (): KubeConfig => loadConfig(new official.KubeConfig(), source)
  let config = load()
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new KubeConfigError(`Cannot use ${nameOf(source)}: its current context names no cluster`)
  const server = serverOf(cluster.server, source)
  let kept: { readonly value: Credentials; readonly until: number } | undefined
  let asking: Promise<Credentials> | undefined

  function ask(): Promise<Credentials> {
    // Nothing is awaited between the look at `asking` and its set: one plugin runs at a time, however many requests wait for it.
    asking ??= readCredentials(config, source)
      .then((value) => {
        kept = { value, until: clocks.monotonic() + KEPT_MS }
        return value
      })
      .finally(() => (asking = undefined))
    return asking
  }

  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    proxyUrl: cluster.proxyUrl,
    async current() {
      if (kept !== undefined && clocks.monotonic() < kept.until) return kept.value
      return ask()
    },
    async renew(refused) {
      if (kept?.value === refused) {
        kept = undefined
        // A new one has empty caches: the token file and the plugin are asked, whatever they said a moment ago.
        config = load()
      }
      return kept?.value ?? ask()
    },
  }
}

function loadConfig(config: KubeConfig, source: CredentialSource): KubeConfig {
  const { kubeconfig, context, inCluster } = source
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
    else if (inCluster !== undefined && inCluster !== false) config.loadFromCluster(inCluster === true ? '' : inCluster.pathPrefix)
    else throw new KubeConfigError('Cannot connect to Kubernetes: neither a kubeconfig nor the service account of a pod was given')
  } catch (cause) {
    if (cause instanceof KubeConfigError) throw cause
    throw new KubeConfigError(`Cannot read ${nameOf(source)}: ${oneLine(cause)}`)
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null) throw new KubeConfigError(`Cannot use ${nameOf(source)}: it has no context ${context}`)
    config.setCurrentContext(context)
  }
  return config
}

async function readCredentials(config: KubeConfig, source: CredentialSource): Promise<Credentials> {
  const options: OfficialOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch (cause) {
    // What a plugin printed may hold anything: only its first line, and no cause that would carry the rest.
    throw new KubeConfigError(`Cannot authenticate with ${nameOf(source)}: ${oneLine(cause)}`, {
      hint: 'run the plugin of the kubeconfig by hand, or look whether its token and certificate files can be read',
    })
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value.trim()
  if (typeof options.auth === 'string') headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
  const { ca, cert, key, servername, rejectUnauthorized } = options
  const tls: TlsSettings = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  }
  return { headers, tls, tlsId: tlsIdOf(tls) }
}

/** What `applyToHTTPSOptions` fills in, of the much that its type allows. */
type OfficialOptions = {
  headers?: Record<string, string>
  auth?: string
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  servername?: string
  rejectUnauthorized?: boolean
}

function tlsIdOf(tls: TlsSettings): string {
  const hash = createHash('sha256')
  for (const part of [tls.ca, tls.cert, tls.key, tls.servername, String(tls.rejectUnauthorized)]) {
    hash.update(part ?? '').update('\0')
  }
  return hash.digest('base64url')
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/

function serverOf(text: string, source: CredentialSource): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '')
    throw new KubeConfigError(`Cannot use ${nameOf(source)}: its server is no http or https address`)
  // Tokens of the cluster's administrator would cross the network in the clear.
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    throw new KubeConfigError(`Cannot use ${nameOf(source)}: its server ${url.host} speaks plain http, which is for loopback only`)
  return url
}

function nameOf({ kubeconfig }: CredentialSource): string {
  return kubeconfig === undefined ? "the pod's service account" : `kubeconfig ${kubeconfig}`
}

function oneLine(thrown: unknown): string {
  return (errorChain(thrown).split('\n', 1)[0] ?? '').slice(0, 200)
}
