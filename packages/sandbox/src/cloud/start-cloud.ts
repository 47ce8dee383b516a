import { randomBytes, randomInt } from 'node:crypto'
import { type Server, createServer } from 'node:http'
import { errorCode } from '@ascribe/kit'
import { ListenError, listenOn, urlOf } from '@ascribe/service'
import { OauthRealm } from '../oauth/oauth-realm.ts'
import { type ClockMode, SandboxClock } from './clock.ts'
import { CloudServer } from './cloud-server.ts'
import { serveControl } from './control.ts'
import { type CloudHandles, handlesOf } from './handles.ts'
import { addAccount, addLibrary } from './initial.ts'
import { TokenCheck } from './issuers.ts'
import { INITIAL_KNOBS, type Knobs, parseKnobs } from './knobs.ts'
import { SeededRandom } from './random.ts'
import { RegionTable, type RegionUrls } from './regions.ts'
import { readCall, sendReply } from './transmit.ts'
import { DEFAULT_USERS, type SandboxUserSpec } from './users.ts'
import { World } from './world.ts'

export type SandboxCloudOptions = {
  /** Default 0: a free one. */
  readonly port?: number
  /** Of the control listener. Default 0. */
  readonly controlPort?: number
  /** Uuids, MACs, jitter and shares of faults follow from it. Default: a new one each time. */
  readonly seed?: number
  /** Default `cloudsigma`. */
  readonly realm?: string
  /** Default `zrh` and `sjc`. */
  readonly regions?: readonly string[]
  readonly users?: readonly SandboxUserSpec[]
  readonly knobs?: Partial<Knobs>
  /** Default `running`. */
  readonly clock?: ClockMode
  /** Epoch milliseconds at which its clock begins. Default: the real time. With a seed and a frozen clock everything repeats. */
  readonly startAt?: number
  /** Whether hosts also have loopback addresses of their own, beside names. Default: where the machine has such addresses. */
  readonly addresses?: boolean
  /** Issuers (`…/realms/x`) whose tokens step 3 takes beside our own, checked by their JWKS. */
  readonly trustIssuers?: readonly string[]
}

/** A running sandbox cloud. Everything that its handles do can also be done over HTTP, at `control`. */
export type SandboxCloud = AsyncDisposable &
  CloudHandles & {
    /** `http://127.0.0.1:PORT`. Keycloak takes its issuer from `Host`, and so does this: call it by this URL. */
    readonly oauthUrl: string
    readonly issuer: string
    readonly realm: string
    readonly seed: number
    /** `http://direct.{region}.localhost:PORT`. */
    readonly apiUrl: string
    readonly regions: Readonly<Record<string, RegionUrls>>
    /** The control listener; `page` is for a browser. The token is wanted for everything there. */
    readonly control: { readonly url: string; readonly token: string; readonly page: string }
    close(): Promise<void>
  }

const REGIONS = ['zrh', 'sjc']
const REALM = 'cloudsigma'
const SEED_MAX = 2 ** 32
const PORT_TRIES = 5
const TOKEN_BYTES = 24

/** Starts a Keycloak-like OAuth server and a CloudSigma-like cloud on loopback. */
export async function startSandboxCloud(options: SandboxCloudOptions = {}): Promise<SandboxCloud> {
  const { world, server } = await makeWorld(options)
  const serve = (): Server => createServer({ keepAliveTimeout: 60_000 }, (request, response) => void server.serve(request, response))
  const { servers, port, hasAddresses } = await listenEverywhere(options.addresses === false ? [] : world.regions.addresses(), {
    serve,
    port: options.port ?? 0,
  })
  const handles = handlesOf(world, server)
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const control = controlServer(handles, token)
  const close = (): Promise<void> => closeAll([...servers, control])
  const controlAddress = await listenOn(control, { host: '127.0.0.1', port: options.controlPort ?? 0 }).catch(async (error: unknown) => {
    // Whoever asked for a port that is taken is told, and keeps nothing open that would keep its process alive.
    await close()
    throw error
  })
  const controlUrl = urlOf(controlAddress)
  const oauthUrl = `http://127.0.0.1:${port}`
  const urls = world.regions.names.map((region) => [region, world.regions.urls(region, { port, hasAddresses })] as const)
  const fixed = {
    oauthUrl,
    issuer: `${oauthUrl}/realms/${world.realm.name}`,
    realm: world.realm.name,
    seed: world.random.seed,
    apiUrl: `http://direct.{region}.localhost:${port}`,
    regions: Object.fromEntries(urls),
    control: { url: controlUrl, token, page: `${controlUrl}/?token=${token}` },
    close,
    [Symbol.asyncDispose]: close,
  }
  // By descriptors, since `knobs`, `users` and `clients` are getters: they must go on telling what is so now.
  return Object.defineProperties(handles, Object.getOwnPropertyDescriptors(fixed)) as SandboxCloud
}

async function makeWorld(options: SandboxCloudOptions): Promise<{ world: World; server: CloudServer }> {
  const clock = new SandboxClock(options.clock, options.startAt)
  const random = new SeededRandom(options.seed ?? randomInt(SEED_MAX))
  const knobs = { ...INITIAL_KNOBS, ...parseKnobs(options.knobs ?? {}) }
  const realm = await OauthRealm.create({
    name: options.realm ?? REALM,
    now: () => clock.now() + knobs.oauthClockSkewMs,
    newUuid: () => random.uuid('oauth'),
    lifetimeS: (step) => (step === 'rpt' ? knobs.rptTtlS : knobs.saTtlS) || undefined,
  })
  const world = new World({ clock, random, realm, knobs, regions: new RegionTable(options.regions ?? REGIONS) })
  for (const spec of options.users ?? DEFAULT_USERS) addAccount(world, spec)
  addLibrary(world)
  return { world, server: new CloudServer(world, new TokenCheck(world, options.trustIssuers ?? [])) }
}

/** The control listener answers on an address and port of its own. */
function controlServer(cloud: CloudHandles, token: string): Server {
  return createServer((request, response) => {
    void readCall(request).then(async (call) => {
      if (call === undefined) return void response.destroy()
      sendReply(response, await serveControl(cloud, call, token), { date: Date.now() })
    })
  })
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map((each) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      // Also called for one that never listened.
      each.close(() => resolve())
      each.closeAllConnections()
      return promise
    }),
  )
}

type Everywhere = { readonly servers: readonly Server[]; readonly port: number; readonly hasAddresses: boolean }

/** Listens on 127.0.0.1 and on the regions' addresses, all on one port. Where the machine has no such addresses: names only. */
async function listenEverywhere(hosts: readonly string[], { serve, port }: { serve: () => Server; port: number }): Promise<Everywhere> {
  for (let tries = 1; ; tries += 1) {
    const main = serve()
    const bound = await listenOn(main, { host: '127.0.0.1', port })
    const servers = [main]
    try {
      for (const host of hosts) {
        const server = serve()
        await listenOn(server, { host, port: bound.port })
        servers.push(server)
      }
      return { servers, port: bound.port, hasAddresses: hosts.length > 0 }
    } catch (error) {
      for (const each of servers.slice(1)) each.close()
      const code = error instanceof ListenError ? errorCode(error.cause) : undefined
      if (code === 'EADDRNOTAVAIL') return { servers: [main], port: bound.port, hasAddresses: false }
      main.close()
      // Somebody else has the port on one of the addresses; another free one is tried, unless one was asked for.
      if (code !== 'EADDRINUSE' || port !== 0 || tries === PORT_TRIES) throw error
    }
  }
}
