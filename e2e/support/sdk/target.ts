import assert from 'node:assert/strict'
import type { Event, Product } from '../product.ts'

/** A gateway that official clients talk to, and the records that they leave. */
export type SdkTarget = {
  /** Without `/v1`. */
  readonly gateway: string
  readonly key: string
  readonly model: string
  readonly embedModel: string
  /** The record of a request, once it is there. `id`: what its reply, or the client itself, called it. */
  recordOf(id: string | null | undefined): Promise<Event>
  /** All records of one request id, once there are `count`. */
  recordsOf(id: string, count: number): Promise<Event[]>
  /** How many records there are by now. */
  count(): Promise<number>
}

/** What an engine does beyond what every engine does. */
export type Abilities = {
  /** It calls functions: random weights do not. */
  readonly tools: boolean
  /** It does what the member `sandbox` of a request says. */
  readonly faults: boolean
}

const PATIENCE_MS = 15_000

export function targetOf(product: Product, engine: Pick<SdkTarget, 'model' | 'embedModel'>): SdkTarget {
  const recordsOf = async (id: string, count: number): Promise<Event[]> => {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const found = (await product.events()).filter(({ request_id }) => request_id === id)
      if (found.length === count) return found
      assert.ok(found.length < count && Date.now() < deadline, `expected ${count} records of ${id}, found ${JSON.stringify(found)}`)
    }
  }
  return {
    gateway: product.ready.gateway,
    key: product.ready.key,
    ...engine,
    recordsOf,
    async recordOf(id) {
      assert.ok(typeof id === 'string', 'the reply has no request id')
      const [record] = await recordsOf(id, 1)
      assert.ok(record)
      return record
    },
    count: async () => (await product.events()).length,
  }
}

/** The schema of what the tools and the structured replies of these suites have in them. */
export const SCHEMA: {
  readonly type: 'object'
  readonly properties: { readonly ok: { readonly type: 'boolean' }; readonly size: { readonly type: 'integer' } }
  readonly required: string[]
  readonly additionalProperties: false
} = {
  type: 'object',
  properties: { ok: { type: 'boolean' }, size: { type: 'integer' } },
  required: ['ok', 'size'],
  additionalProperties: false,
}

export type Answer = { readonly ok: boolean; readonly size: number }

export function assertAnswer(value: unknown): void {
  const { ok, size } = value as Answer
  assert.deepEqual([typeof ok, typeof size], ['boolean', 'number'])
}

/** A stream of 64 tokens whose client left after the first. An engine that is quick may be done before anybody notices. */
export function assertLeft(record: Event, { faults }: Abilities): void {
  assert.ok(faults ? record.outcome === 'aborted' : ['aborted', 'completed'].includes(record.outcome), record.outcome)
  // Read on to its usage.
  assert.equal(record.provenance, 'reported')
  if (faults) assert.equal(record.completion_tokens, 64)
  else assert.ok((record.completion_tokens ?? 0) > 0, 'an aborted stream was free')
}

/** Members of a request that its SDK knows nothing of. */
export function engineFault(fault: object): object {
  return { sandbox: fault }
}
