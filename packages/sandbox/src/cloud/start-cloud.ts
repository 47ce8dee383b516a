import { randomInt } from 'node:crypto'
import { type Server, createServer } from 'node:http'
import { InputError, errorCode } from '@ascribe/kit'
import { ListenError, listenOn } from '@ascribe/service'
import { OauthRealm } from '../oauth/oauth-realm.ts'
import type { ClientChange } from '../oauth/realm.ts'
import type { Bill } from './bill.ts'
import { addAccount, addLibrary } from './initial.ts'
import type { LoggedCall } from './call-log.ts'
import { type ClockMode, SandboxClock } from './clock.ts'
import { CloudServer } from './cloud-server.ts'
import type { Fault } from './faults.ts'
import { TokenCheck } from './issuers.ts'
import { INITIAL_KNOBS, type Knobs, parseKnobs } from './knobs.ts'
import { type OutsideEvent, happen } from './outside-events.ts'
import { SeededRandom } from './random.ts'
import { RegionTable, type RegionUrls } from './regions.ts'
import { DEFAULT_USERS, type SandboxUser, type SandboxUserSpec, type UserChange } from './users.ts'
import { World } from './world.ts'

export type SandboxCloudOptions = {
  /** Default 0: a free one. The control listener has another. */
  readonly port?: number
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
  /** Issuers (`…/realms/x`) whose tokens step 3 takes beside our own, checked by their JWKS. */
  readonly trustIssuers?: readonly string[]
}

/** A running sandbox cloud. Everything here can also be done over HTTP, at `control`. */
export type SandboxCloud = AsyncDisposable & {
  /** `http://127.0.0.1:PORT`. Keycloak takes its issuer from `Host`, and so does this: call it by this URL. */
  readonly oauthUrl: string
  readonly issuer: string
  readonly realm: string
  readonly seed: number
  /** `http://direct.{region}.localhost:PORT`. */
  readonly apiUrl: string
  readonly regions: Readonly<Record<string, RegionUrls>>
  readonly clients: readonly { readonly id: string; readonly secret: string }[]
  readonly users: readonly Pick<SandboxUser, 'email' | 'uuid' | 'password' | 'state' | 'isPlatform'>[]
  readonly clock: Pick<SandboxClock, 'now' | 'advance' | 'freeze' | 'run' | 'mode'>
  readonly knobs: Knobs
  /** @throws {InputError} where a name or value is none. */
  setKnobs(knobs: Partial<Knobs>): void
  /** Arms a fault and gives its id. @throws {InputError} */
  addFault(fault: Fault): number
  clearFaults(id?: number): void
  /** Every call so far, oldest first. */
  calls(): readonly LoggedCall[]
  forgetCalls(): void
  addUser(spec: SandboxUserSpec): SandboxUser
  changeUser(email: string, change: UserChange): void
  changeClient(id: string, change: ClientChange): void
  removeClient(id: string): void
  /** Ends impersonated tokens at once, of one user or of all; gives how many. */
  revokeTokens(of?: { readonly user?: string }): number
  /** Adds a signing key that signs from now on. `keep: 'newest'` also drops the older ones, and their tokens. */
  rotateKeys(options?: { readonly keep?: 'all' | 'newest' }): Promise<void>
  /** Lets something happen that no client of yours did. @throws {InputError} */
  happen(event: OutsideEvent): void
  /** What an account has used and what it comes to, by region; exact, up to now. @throws {InputError} for an unknown user. */
  bill(email: string): Readonly<Record<string, Bill>>
  close(): Promise<void>
}

const REGIONS = ['zrh', 'sjc']
const REALM = 'cloudsigma'
const SEED_MAX = 2 ** 32
const PORT_TRIES = 5

/** Starts a Keycloak-like OAuth server and a CloudSigma-like cloud on loopback. */
export async function startSandboxCloud(options: SandboxCloudOptions = {}): Promise<SandboxCloud> {
  const { world, server } = await makeWorld(options)
  const serve = (): Server => createServer({ keepAliveTimeout: 60_000 }, (request, response) => void server.serve(request, response))
  const { servers, port, hasAddresses } = await listenEverywhere(world.regions, { serve, port: options.port ?? 0 })
  const close = async (): Promise<void> => {
    await Promise.all(
      servers.map((each) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        each.close(() => resolve())
        each.closeAllConnections()
        return promise
      }),
    )
  }
  const oauthUrl = `http://127.0.0.1:${port}`
  const urls = world.regions.names.map((region) => [region, world.regions.urls(region, { port, hasAddresses })] as const)
  return {
    oauthUrl,
    issuer: `${oauthUrl}/realms/${world.realm.name}`,
    realm: world.realm.name,
    seed: world.random.seed,
    apiUrl: `http://direct.{region}.localhost:${port}`,
    regions: Object.fromEntries(urls),
    ...handles(world, server),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function makeWorld(options: SandboxCloudOptions): Promise<{ world: World; server: CloudServer }> {
  const clock = new SandboxClock(options.clock)
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

type Handles = Omit<SandboxCloud, 'oauthUrl' | 'issuer' | 'realm' | 'seed' | 'apiUrl' | 'regions' | 'close' | typeof Symbol.asyncDispose>

function handles(world: World, server: CloudServer): Handles {
  const { realm, users, clock } = world
  return {
    get clients() {
      return [...realm.clients.values()].flatMap(({ id, secret }) => (secret === undefined ? [] : [{ id, secret }]))
    },
    get users() {
      return users.list()
    },
    get knobs() {
      return { ...world.knobs }
    },
    clock,
    setKnobs: (knobs) => void Object.assign(world.knobs, parseKnobs(knobs)),
    addFault: (fault) => server.faults.add(fault),
    clearFaults: (id) => server.faults.clear(id),
    calls: () => server.calls.list(),
    forgetCalls: () => server.calls.clear(),
    addUser: (spec) => addAccount(world, spec),
    changeUser: (email, change) => void users.change(email, change),
    changeClient: (id, change) => void realm.changeClient(id, change),
    removeClient: (id) => void realm.clients.delete(id),
    revokeTokens: ({ user } = {}) => world.tokens.revokeAll(user === undefined ? undefined : users.byEmail(user)?.uuid),
    happen: (event) => happen(world, event),
    bill: (email) => billOf(world, email),
    rotateKeys: async ({ keep = 'all' } = {}) => {
      await realm.keys.rotate(clock.now())
      if (keep === 'newest') realm.keys.keepOnly('newest')
    },
  }
}

/** An account's bill in every region. @throws {InputError} */
export function billOf(world: World, email: string): Readonly<Record<string, Bill>> {
  const user = world.users.byEmail(email)
  if (user === undefined) throw new InputError(`Cannot bill ${email}: there is no such user`)
  world.schedule.settle()
  return Object.fromEntries(world.regions.names.map((region) => [region, world.bills.of(user.uuid, region)]))
}

type Everywhere = { readonly servers: readonly Server[]; readonly port: number; readonly hasAddresses: boolean }

/** Listens on 127.0.0.1 and on the regions' addresses, all on one port. Where the machine has no such addresses: names only. */
async function listenEverywhere(regions: RegionTable, { serve, port }: { serve: () => Server; port: number }): Promise<Everywhere> {
  for (let tries = 1; ; tries += 1) {
    const main = serve()
    const bound = await listenOn(main, { host: '127.0.0.1', port })
    const servers = [main]
    try {
      for (const host of regions.addresses()) {
        const server = serve()
        await listenOn(server, { host, port: bound.port })
        servers.push(server)
      }
      return { servers, port: bound.port, hasAddresses: true }
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
