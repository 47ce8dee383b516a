import { mkdtemp, rm } from 'node:fs/promises'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createFaults } from './faults.ts'
import type { Faults } from './faults.ts'
import { collectGarbage } from './garbage.ts'
import { answer, readBody, seed, verbOf } from './handler.ts'
import type { World } from './handler.ts'
import { textAt } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import { createLists } from './lists.ts'
import { Objects } from './objects.ts'
import { Refusal, badRequest } from './refusal.ts'
import { targetOf } from './target.ts'
import type { Target } from './target.ts'
import type { KubeFaultEffect, KubeLogEntry, KubeUser, SandboxKube, SandboxKubeOptions } from './types.ts'
import { ADMIN, createUsers, mastersOnly } from './users.ts'
import { createWatches } from './watches.ts'

const BOOKMARK_MS = 60_000
/** Older entries go; a chaos run of minutes has some ten thousands. */
const LOG_MAX = 500_000

type Wire = { readonly world: World; readonly faults: Faults; readonly log: KubeLogEntry[] }

/**
 * An API server in this process, over real HTTP on loopback: objects of any kind, server-side apply, status, finalizers, watches with
 * bookmarks, and faults on demand. It validates no schema and enforces no rights; the real server is the judge of those.
 */
export async function startSandboxKube(options: SandboxKubeOptions = {}): Promise<SandboxKube> {
  const now = options.now ?? ((): Date => new Date())
  const objects = new Objects()
  const world: World = {
    objects,
    watches: createWatches(objects, {
      bookmarkMs: options.bookmarkMs ?? BOOKMARK_MS,
      lagMs: options.watchLagMs ?? 0,
      watchList: options.watchList ?? true,
    }),
    lists: createLists(),
    users: createUsers(options.access ?? mastersOnly),
    kinds: new Map(),
    unserved: new Set(options.unserved),
    pageMax: options.pageMax ?? 0,
    now,
  }
  collectGarbage(objects, now)
  for (const name of ['default', 'kube-system', ...(options.namespaces ?? [])])
    seed(world, 'namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    })
  const wire: Wire = { world, faults: createFaults(options.random ?? Math.random), log: [] }
  const listener = createListener((request, response) => serve(wire, request, response))
  const port = await listener.start(0)
  const url = `http://127.0.0.1:${port}`
  const folder = await mkdtemp(join(tmpdir(), 'ascribe-kube-'))
  let files = 0
  const kubeconfigOf = (user: KubeUser): string => {
    const path = join(folder, `kubeconfig-${files++}`)
    writeFileSync(path, kubeconfigText(url, world.users.token(user)), { mode: 0o600 })
    return path
  }
  const kubeconfig = kubeconfigOf(ADMIN)
  return {
    url,
    kubeconfig,
    kubeconfigOf,
    token: (user = ADMIN) => world.users.token(user),
    revoke: (token) => world.users.revoke(token),
    log: wire.log,
    clearLog: () => void wire.log.splice(0),
    fault: (fault) => wire.faults.add(fault),
    ...watchKnobs(world),
    setServed: (plural, isServed) => void (isServed ? world.unserved.delete(plural) : world.unserved.add(plural)),
    stop: () => listener.stop(),
    start: async () => void (await listener.start(port)),
    ...backDoor(world),
    async [Symbol.asyncDispose]() {
      await listener.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type WatchKnobs = 'endWatches' | 'openWatches' | 'bookmark' | 'compact' | 'tick' | 'setWatchLag' | 'setWatchList'

function watchKnobs({ watches, objects, lists }: World): Pick<SandboxKube, WatchKnobs> {
  return {
    endWatches: (how, plural) => watches.end(how, plural),
    openWatches: (plural) => watches.count(plural),
    bookmark: () => watches.bookmark(),
    compact() {
      objects.compact()
      lists.expire()
    },
    tick: () => void objects.tick(),
    setWatchLag: (ms) => watches.setLag(ms),
    setWatchList: (isOn) => watches.setWatchList(isOn),
  }
}

function backDoor(world: World): Pick<SandboxKube, 'get' | 'list' | 'everything' | 'put' | 'remove'> {
  const { objects, kinds } = world
  const idsOf = (plural: string): string[] => [...kinds.keys()].filter((id) => id.endsWith(`/${plural}`))
  return {
    get: (plural, key) =>
      idsOf(plural)
        .map((id) => objects.get(id, key)?.object)
        .find((object) => object !== undefined),
    list: (plural, namespace) =>
      idsOf(plural).flatMap((id) =>
        objects.list(id).filter((object) => namespace === undefined || textAt(object, 'metadata', 'namespace') === namespace),
      ),
    everything: () => objects.all().map(({ object }) => object),
    put: (plural, object) => seed(world, plural, structuredClone(object) as JsonObject),
    remove: (plural, key) => {
      for (const id of idsOf(plural)) objects.remove(id, key)
    },
  }
}

function kubeconfigText(server: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    // The official client allows plain http only to those who ask for no verification.
    clusters: [{ name: 'sandbox', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'sandbox', user: { token } }],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user: 'sandbox' } }],
    'current-context': 'sandbox',
  })
}

type Listener = { start(port: number): Promise<number>; stop(): Promise<void> }

function createListener(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Listener {
  let server: Server | undefined
  const sockets = new Set<Socket>()
  return {
    start(port) {
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      // A sandbox that answers wrongly must not end the test's process: the connection breaks, as it would with a server that fell over.
      const made = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
      made.requestTimeout = 0
      made.keepAliveTimeout = 90_000
      made.on('connection', (socket) => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
      })
      made.once('error', reject)
      made.listen(port, '127.0.0.1', () => resolve((made.address() as AddressInfo).port))
      server = made
      return promise
    },
    stop() {
      const { promise, resolve } = Promise.withResolvers<void>()
      if (server === undefined) return Promise.resolve()
      server.close(() => resolve())
      server = undefined
      for (const socket of sockets) socket.destroy()
      return promise
    },
  }
}

async function serve(wire: Wire, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sandbox')
  if (['/healthz', '/readyz', '/livez'].includes(url.pathname)) return void response.end('ok')
  if (url.pathname === '/version') return send(response, 200, { major: '1', minor: '36', gitVersion: 'v1.36.0-sandbox' })
  let entry: KubeLogEntry | undefined
  let effects: KubeFaultEffect[] = []
  try {
    const body = await readBody(request)
    const target = targetOf(url.pathname)
    const verb = verbOf(request.method ?? '', target, url.searchParams)
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const user = wire.world.users.whose(bearer)
    entry = logged(wire, request, { url, target, verb, user, body })
    effects = wire.faults.meet(entry)
    if (await isBrokenBefore(effects, response)) return
    if (user === undefined) throw new Refusal(401, 'Unauthorized', { message: 'Unauthorized' })
    const found = answer(wire.world, {
      target,
      verb,
      query: url.searchParams,
      contentType: request.headers['content-type'] ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      user,
      body: body === '' ? undefined : parsed(body),
      response,
    })
    entry.status = found?.status ?? 200
    if (found !== undefined && !(await isBrokenAfter(effects, response))) send(response, found.status, found.body)
    else if (found !== undefined) entry.status = 0
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown
    if (entry !== undefined) entry.status = thrown.status
    refuse(response, thrown)
  }
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  if (refusal.reason === 'NotServed') return void response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
  const { retryAfterSeconds } = refusal.details
  if (typeof retryAfterSeconds === 'number') response.setHeader('retry-after', String(retryAfterSeconds))
  send(response, refusal.status, refusal.body())
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

type Facts = {
  readonly url: URL
  readonly target: Target
  readonly verb: KubeLogEntry['verb']
  readonly user: KubeUser | undefined
  readonly body: string
}

function logged({ log, world }: Wire, request: IncomingMessage, { url, target, verb, user, body }: Facts): KubeLogEntry {
  const { namespace, name, subresource, group, plural } = target
  const contentType = request.headers['content-type']
  const entry: KubeLogEntry = {
    index: (log.at(-1)?.index ?? -1) + 1,
    atMs: world.now().getTime(),
    user: user?.name ?? '',
    verb,
    method: request.method ?? '',
    group,
    plural,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
    query: Object.fromEntries(url.searchParams),
    ...(contentType !== undefined && { contentType }),
    body,
    status: 0,
  }
  log.push(entry)
  if (log.length > LOG_MAX) log.splice(0, LOG_MAX / 10)
  return entry
}

/** Whether the request ends here. */
async function isBrokenBefore(effects: readonly KubeFaultEffect[], response: ServerResponse): Promise<boolean> {
  for (const effect of effects) {
    if (effect.kind === 'delay') await delay(effect.ms, undefined, { ref: false })
    if (effect.kind === 'hang') return true
    if (effect.kind === 'reset') {
      response.destroy()
      return true
    }
    if (effect.kind === 'status') {
      const { status, reason, message = 'as the sandbox was told', retryAfterS } = effect
      throw new Refusal(status, reason, { message, ...(retryAfterS !== undefined && { details: { retryAfterSeconds: retryAfterS } }) })
    }
  }
  return false
}

async function isBrokenAfter(effects: readonly KubeFaultEffect[], response: ServerResponse): Promise<boolean> {
  for (const effect of effects) {
    if (effect.kind === 'delayAfter') await delay(effect.ms, undefined, { ref: false })
    if (effect.kind !== 'resetAfter') continue
    response.destroy()
    return true
  }
  return false
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw badRequest('the body is no JSON')
  }
}
