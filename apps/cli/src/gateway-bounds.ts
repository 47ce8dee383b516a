import { availableParallelism } from 'node:os'
import { z } from 'zod'
import type { GatewayBounds } from '@ascribe/gateway'
import { byteSize, durationMs } from '@ascribe/service'

/** How many processes serve, and what bounds each of them: settings under `gateway`. Times are milliseconds, sizes bytes. */
export type BoundsSettings = {
  readonly workers: number | 'auto'
  /** How long open requests may go on in a process that another one has taken over from. */
  readonly handover_time: number
  readonly connections: number
  readonly connections_per_peer?: number | undefined
  readonly header_size: number
  readonly head_time: number
  readonly body_time: number
  /** Bytes a second. */
  readonly body_rate: number
  readonly bodies_size: number
  readonly idle_time: number
  readonly stall_time: number
}

const WORKERS_MAX = 64

type Field<Value> = undefined extends Value ? z.ZodOptional<z.ZodType<Exclude<Value, undefined>>> : z.ZodDefault<z.ZodType<Value>>

export const boundsShape: { readonly [Name in keyof BoundsSettings]-?: Field<BoundsSettings[Name]> } = {
  workers: z
    .union([z.literal('auto'), z.coerce.number().pipe(z.int().min(1).max(WORKERS_MAX))], {
      error: `must be auto, or a number from 1 to ${WORKERS_MAX}`,
    })
    .default(1),
  handover_time: durationMs().default(600_000),
  connections: z.int().min(1).default(16_384),
  connections_per_peer: z.int().min(1).optional(),
  header_size: byteSize().default(16 * 1024),
  head_time: durationMs().default(10_000),
  body_time: durationMs().default(300_000),
  body_rate: byteSize().default(512),
  bodies_size: byteSize().default(256 * 1024 * 1024),
  idle_time: durationMs().default(600_000),
  stall_time: durationMs().default(600_000),
}

/** The bounds as the gateway takes them: of each process. */
export function boundsOf(settings: BoundsSettings): GatewayBounds {
  return {
    connectionsMax: settings.connections,
    ...(settings.connections_per_peer !== undefined && { peerConnectionsMax: settings.connections_per_peer }),
    headerBytesMax: settings.header_size,
    headTimeoutMs: settings.head_time,
    bodyTimeoutMs: settings.body_time,
    bodyRateMin: Math.max(1, settings.body_rate),
    bodyBytesHeldMax: settings.bodies_size,
    keepAliveTimeoutMs: settings.idle_time,
    clientStallTimeoutMs: settings.stall_time,
  }
}

/** Processes that serve. `auto`: one for each core. */
export function workersOf({ workers }: Pick<BoundsSettings, 'workers'>): number {
  return workers === 'auto' ? Math.min(WORKERS_MAX, availableParallelism()) : workers
}
