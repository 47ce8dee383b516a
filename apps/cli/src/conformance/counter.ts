import { setTimeout as delay } from 'node:timers/promises'
import type { EngineClient } from './engine-client.ts'

/** Counters of generated tokens, by engine. */
const GENERATED = [
  'llamacpp:tokens_predicted_total',
  'vllm:generation_tokens_total',
  'sglang:generation_tokens_total',
  'sandbox:tokens_predicted_total',
]
/** Of prompt tokens that were found in a cache. */
const CACHED = ['llamacpp:prompt_tokens_cached_total', 'vllm:prefix_cache_hits_total', 'sglang:cached_tokens_total']

/** Two looks this far apart that say the same: nobody is being served. */
const QUIET_MS = 150
const LOOKS_MAX = 20

export type Counts = { readonly generated: number; readonly cached: number | undefined }

/** The engine's own count of what it does, in Prometheus's text format beside its API. */
export class EngineCounter {
  readonly name: string
  readonly #client: EngineClient

  private constructor(name: string, client: EngineClient) {
    this.name = name
    this.#client = client
  }

  /** `undefined`: there is none that we know; `busy`: it moves although we ask for nothing. */
  static async find(client: EngineClient): Promise<EngineCounter | 'busy' | undefined> {
    const text = await metricsOf(client)
    const name = text === undefined ? undefined : GENERATED.find((each) => sumOf(text, each) !== undefined)
    if (name === undefined) return undefined
    const counter = new EngineCounter(name, client)
    const before = await counter.read()
    await delay(2 * QUIET_MS)
    const after = await counter.read()
    return before?.generated === after?.generated ? counter : 'busy'
  }

  async read(): Promise<Counts | undefined> {
    const text = await metricsOf(this.#client)
    if (text === undefined) return undefined
    const generated = sumOf(text, this.name)
    const cached = CACHED.map((each) => sumOf(text, each)).find((sum) => sum !== undefined)
    return generated === undefined ? undefined : { generated, cached }
  }

  /** What it says once it has come to rest: some engines count a moment later, or go on after a client has left. */
  async settled(): Promise<{ readonly counts: Counts | undefined; readonly rested: boolean }> {
    let last = await this.read()
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      await delay(QUIET_MS)
      const now = await this.read()
      if (now?.generated === last?.generated) return { counts: now, rested: true }
      last = now
    }
    return { counts: last, rested: false }
  }
}

async function metricsOf(client: EngineClient): Promise<string | undefined> {
  const reply = await client.getAtRoot('/metrics')
  return reply.status === 200 ? reply.body.toString('utf8') : undefined
}

/** All series of a name added up; `undefined` when there is none. */
function sumOf(text: string, name: string): number | undefined {
  let sum: number | undefined
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !' {'.includes(line.charAt(name.length))) continue
    const value = Number(line.slice(line.lastIndexOf(' ')))
    if (Number.isFinite(value)) sum = (sum ?? 0) + value
  }
  return sum
}
