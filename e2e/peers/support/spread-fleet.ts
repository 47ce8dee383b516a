import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startEngine } from '@ascribe/sandbox'
import { chat } from '../../support/client.ts'
import type { Seen } from '../../support/client.ts'
import { revenant } from '../../support/fleet.ts'
import type { Revenant } from '../../support/fleet.ts'
import { ask, askLines } from '../../support/process.ts'
import type { Finished } from '../../support/process.ts'
import { run } from '../../support/process.ts'
import { currentMonth, temporaryDir } from '../../support/product.ts'
import type { Event, Statement } from '../../support/product.ts'
import { installNats } from '../nats/install.ts'
import { startBroker } from '../nats/start.ts'
import type { Broker } from '../nats/start.ts'
import { startPostgres } from '../postgres/start.ts'
import type { PostgresPeer } from '../postgres/start.ts'
import { PeerUnavailable } from './unavailable.ts'

/** The broker's program, or the reason for which a suite that needs it is skipped. */
export async function broker(): Promise<
  { readonly binary: string; readonly skip: false } | { readonly binary?: undefined; readonly skip: string }
> {
  try {
    return { binary: await installNats(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

/** Gateways and settlers as on machines of their own: each has a data directory, gateways have no database, and a broker is between them. */
export type SpreadFleet = AsyncDisposable & {
  readonly engine: Awaited<ReturnType<typeof startEngine>>
  readonly broker: Broker
  readonly postgres: PostgresPeer
  readonly gateways: readonly Revenant[]
  readonly settlers: readonly Revenant[]
  readonly organizationId: string
  readonly key: string
  readonly authId: string
  /** A command of an operator, beside a settler. */
  cli<Answer>(...args: readonly string[]): Promise<Answer>
  runCli(...args: readonly string[]): Promise<Finished>
  events(): Promise<Event[]>
  statement(): Promise<Statement>
  /** Journals of gateways that are not all in the ledger. */
  journals(): readonly string[]
  /** One more, on a data directory of its own. */
  anotherSettler(): Promise<Revenant>
  /** Clients that ask one gateway after the other until `signal` fires. */
  clients(count: number, signal: AbortSignal): Promise<readonly Seen[]>
}

// Nano-units a token, so that a recount needs no decimals.
const PRICES = `version: 1
base_models:
  sandbox-small: { prompt: "0.000000003", cached: "0.000000001", completion: "0.000000007" }
`

export type SpreadOptions = {
  readonly binary: string
  readonly gateways: number
  readonly settlers: number
  readonly env?: Readonly<Record<string, string>>
}

export async function spreadFleet(options: SpreadOptions): Promise<SpreadFleet> {
  await using stack = new AsyncDisposableStack()
  const root = stack.use(temporaryDir()).path
  // Another user runs the database in it.
  chmodSync(root, 0o755)
  const postgres = stack.use(await startPostgres(folder(root, 'postgres')))
  const natsBroker = stack.use(await startBroker({ binary: options.binary, dir: folder(root, 'nats') }))
  const engine = stack.use(await startEngine({ seenMax: 100_000, faults: {} }))
  const common = { ASCRIBE_NATS_URL: natsBroker.url, ASCRIBE_SERVER_SECRET: randomBytes(32).toString('hex'), ...options.env }
  const billing = { ...common, DATABASE_URL: postgres.url }
  const data = (name: string): readonly string[] => ['--data', folder(root, name)]
  const office = data('office')
  const cli: SpreadFleet['cli'] = (...args) => ask([...args, ...office], { env: billing })

  await cli('migrate')
  const { id: organizationId } = await cli<{ id: string }>('orgs', 'create', '--name', 'Spread')
  const { key, auth_id: authId } = await cli<{ key: string; auth_id: string }>('keys', 'create', '--org', organizationId)
  writeFileSync(join(root, 'prices.yaml'), PRICES)
  await cli('prices', 'apply', join(root, 'prices.yaml'), '--effective-from', '2020-01-01')

  const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, number) => number)
  const settlers = await Promise.all(
    numbers(options.settlers).map((number) => revenant(['settler', '--metrics-port', '0', ...data(`settler-${number}`)], { env: billing })),
  )
  for (const settler of settlers) stack.use(settler)
  const serve = ['gateway', '--port', '0', '--metrics-port', '0', '--upstream', engine.url] as const
  const gateways = await Promise.all(
    numbers(options.gateways).map((number) => revenant([...serve, ...data(`gateway-${number}`)], { env: common })),
  )
  for (const gateway of gateways) stack.use(gateway)

  async function beClient(seen: Seen[], signal: AbortSignal): Promise<void> {
    for (let turn = Math.floor(Math.random() * gateways.length); !signal.aborted; turn += 1) {
      const gateway = gateways[turn % gateways.length]?.ready?.['gateway']
      const stream = Math.random() < 0.5
      const leaves = Math.random() < 0.1
      // A breath, so that the load is bounded whatever the machine.
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (gateway === undefined) continue
      const maxTokens = 1 + Math.floor(Math.random() * 40)
      seen.push(await chat({ gateway, key, stream, maxTokens, ...(leaves && { leaveAfterMs: Math.floor(Math.random() * 30) }) }))
    }
  }

  const owned = stack.move()
  return {
    engine,
    broker: natsBroker,
    postgres,
    gateways,
    settlers,
    organizationId,
    key,
    authId,
    cli,
    runCli: (...args) => run([...args, ...office], { env: billing }),
    events: () => askLines<Event>(['events', 'list', ...office], { env: billing }),
    statement: () => cli<Statement>('statement', '--org', organizationId, '--month', currentMonth()),
    journals: () =>
      numbers(options.gateways).flatMap((number) =>
        readdirSync(join(root, `gateway-${number}`, 'journal')).map((name) => `gateway-${number}/${name}`),
      ),
    anotherSettler: () => revenant(['settler', '--metrics-port', '0', ...data(`settler-${Math.random()}`)], { env: billing }),
    async clients(count, signal) {
      const seen: Seen[] = []
      await Promise.all(Array.from({ length: count }, () => beClient(seen, signal)))
      return seen
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function folder(root: string, name: string): string {
  const path = join(root, name)
  mkdirSync(path, { recursive: true })
  return path
}
