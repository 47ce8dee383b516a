import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { temporaryDir, up } from '../../support/product.ts'
import type { Event, Product, Statement } from '../../support/product.ts'
import { installEngines } from '../engine/install.ts'
import type { InstalledEngines } from '../engine/install.ts'
import type { Engine } from '../engine/start.ts'
import { startTap } from './tap.ts'
import type { Tap } from './tap.ts'
import { PeerUnavailable } from './unavailable.ts'
import { until } from './until.ts'

/** The engines, or the reason for which a suite that needs them is skipped. */
export type Availability = { readonly installed: InstalledEngines; readonly skip: false } | { readonly skip: string }

export async function engines(): Promise<Availability> {
  try {
    return { installed: await installEngines(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}

/** A real engine behind the whole product, and the official client in front of it. */
export type MeteredEngine = AsyncDisposable & {
  readonly engine: Engine
  readonly tap: Tap
  readonly product: Product
  readonly client: OpenAI
  /** A request to the gateway as the bytes that are given. */
  post(path: string, body: object | string, options?: PostOptions): Promise<Response>
  /** The records, once every request that reached the upstream so far has one. @throws when two are of one request */
  records(): Promise<Event[]>
  /** The record behind a reply of the gateway. */
  recordOf(records: readonly Event[], reply: Response): Event
  /** Waits until no admitted request is without a settlement. */
  settled(): Promise<void>
  /** How many clients the gateway has seen leave: the official client of a stream among them, which cancels at `[DONE]` what may still come. */
  clientsGone(): Promise<number>
  /** Waits until the gateway has seen another client leave than the `before`. */
  clientGone(before: number): Promise<void>
}

export type PostOptions = { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal }

/** USD a token of the engines' model, as `prices.yaml` has it, in nano-units. */
const NANO_RATES = { input_tokens: 537n, cached_input_tokens: 268n, output_tokens: 1611n } as const

const PRICES = join(import.meta.dirname, '..', 'engine', 'prices.yaml')

/** Settings of the catch-all route to the engine, and for how long a reply is read on for nobody. */
export type MeterOptions = { readonly route?: Readonly<Record<string, string | number | boolean>>; readonly drainTime?: string }

export async function meterEngine(
  start: () => Promise<Engine>,
  { route = {}, drainTime = '60s' }: MeterOptions = {},
): Promise<MeteredEngine> {
  await using stack = new AsyncDisposableStack()
  const engine = stack.use(await start())
  const tap = stack.use(await startTap(engine.url))
  const dir = stack.use(temporaryDir())
  // What a busy machine does to an engine must not decide whether its report comes within the bounds.
  const routes = [{ id: 'default', upstream: tap.url, ...route }]
  // JSON is YAML.
  writeFileSync(join(dir.path, 'ascribe.yaml'), JSON.stringify({ gateway: { drain_time: drainTime, routes } }))
  const product = stack.use(await up(dir.path, '--prices', PRICES))
  const { gateway, key, metrics } = product.ready
  const clientsGone = async (): Promise<number> => (await sumOfSeries(metrics, 'relay_clients_gone_total')) ?? 0
  const owned = stack.move()
  return {
    engine,
    tap,
    product,
    client: new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, maxRetries: 0 }),
    post(path, body, { headers = {}, signal } = {}) {
      return fetch(`${gateway}/v1${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(signal !== undefined && { signal }),
      })
    },
    records: () => recordsOf(product, tap),
    recordOf(records, reply) {
      const id = reply.headers.get('x-request-id')
      const record = records.find(({ request_id }) => request_id === id)
      if (record === undefined) throw new Error(`There is no record with request id ${id}`)
      return record
    },
    settled: () => until(async () => (await sumOfSeries(metrics, 'ascribe_journal_open_intents')) === 0, 'every request is settled'),
    clientsGone,
    clientGone: (before) => until(async () => (await clientsGone()) > before, 'the gateway sees its client leave'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function recordsOf(product: Product, tap: Tap): Promise<Event[]> {
  // Its tokenizer is asked for nobody.
  const upstream = tap.exchanges.filter(({ path }) => path.startsWith('/v1/')).map(({ headers }) => String(headers['x-request-id']))
  let records: Event[] = []
  await until(async () => {
    records = await product.events()
    const ids = new Set(records.map(({ event_id }) => event_id))
    return upstream.every((id) => ids.has(id))
  }, 'every request that the upstream saw has a record')
  assert.equal(new Set(records.map(({ event_id }) => event_id)).size, records.length, 'two records have one event id')
  // A client may leave before its request goes up: that is recorded too, and costs nothing.
  for (const record of records)
    if (!upstream.includes(record.event_id)) assert.deepEqual([record.completion_tokens, record.meters], [null, {}])
  return records
}

/** A sample of an endpoint in Prometheus's text format, all its labels added up; `undefined` when it is not there. */
export async function sumOfSeries(url: string, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const values = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  return values.length === 0 ? undefined : values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** What the records cost, counted without the product's own arithmetic. Nano-units. */
export function costOf(records: readonly Event[]): bigint {
  let cost = 0n
  for (const { meters } of records) for (const [meter, rate] of Object.entries(NANO_RATES)) cost += BigInt(meters[meter] ?? 0) * rate
  return cost
}

/** A decimal string in nano-units. @throws when it is finer than that */
function nanoOf(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  if (fraction.length > 9) throw new Error(`${text} is finer than a nano-unit`)
  return BigInt(`${whole}${fraction.padEnd(9, '0')}`)
}

/** The total of a statement, and the sum of its lines. Nano-units. */
export function totalsOf({ total, lines }: Statement): { readonly total: bigint; readonly lines: bigint } {
  return { total: nanoOf(total), lines: lines.reduce((sum, { amount }) => sum + nanoOf(amount), 0n) }
}
