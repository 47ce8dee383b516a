import { AckPolicy, DeliverPolicy, DiscardPolicy, JetStreamApiError, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import type { StreamConfig } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { Nats } from './connection.ts'
import { TransportStreamError, TransportUnavailableError } from './errors.ts'

/** The shared consumer of all settlers. */
export const CONSUMER = 'settlers'
/** A settler that says nothing about a message for so long has died: another one gets it. A slow one stores it twice, which is once. */
const ACK_WAIT_MS = 20_000
/** Messages in the hands of all settlers together. */
const ACK_PENDING_MAX = 2000
/** The same message id within this is stored once; ours changes when a message was lost. */
const DUPLICATE_WINDOW_MS = 120_000

const API_NOT_FOUND = 404

export function usageStreamOf({ prefix }: Pick<Nats, 'prefix'>): string {
  return `${prefix.toUpperCase()}_USAGE`
}

export function policyStreamOf({ prefix }: Pick<Nats, 'prefix'>): string {
  return `${prefix.toUpperCase()}_POLICY`
}

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof JetStreamApiError && thrown.status === API_NOT_FOUND
}

/** Makes the stream of records and its consumer unless they are there. @throws {TransportStreamError | TransportUnavailableError} */
export async function ensureUsageStream(nats: Nats): Promise<void> {
  const stream = usageStreamOf(nats)
  await ensure(nats, {
    name: stream,
    subjects: [`${nats.prefix}.usage.>`],
    // A message goes when it is acknowledged, and for no other reason: full means refused, and then journals keep it.
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
    max_bytes: nats.streamBytes,
    num_replicas: nats.replicas,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  })
  const manager = await nats.manager()
  await said(`make the consumer ${CONSUMER}`, () =>
    manager.consumers.add(stream, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: ACK_PENDING_MAX,
      max_deliver: -1,
    }),
  )
}

/** Makes the stream that keeps the last policy, unless it is there. */
export async function ensurePolicyStream(nats: Nats): Promise<void> {
  await ensure(nats, {
    name: policyStreamOf(nats),
    subjects: [`${nats.prefix}.policy.>`],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    num_replicas: nats.replicas,
    allow_direct: true,
  })
}

async function ensure(nats: Nats, wanted: Partial<StreamConfig> & { readonly name: string }): Promise<void> {
  const manager = await nats.manager()
  let found: StreamConfig
  try {
    found = (await manager.streams.info(wanted.name)).config
  } catch (thrown) {
    if (!isNotFound(thrown)) throw unavailable(`look at the stream ${wanted.name}`, thrown)
    await said(`make the stream ${wanted.name}`, () => manager.streams.add(wanted))
    nats.logger.info('stream made', { stream: wanted.name })
    return
  }
  const fault = wanted.retention === RetentionPolicy.Workqueue ? unsafe(found) : undefined
  if (fault !== undefined) {
    throw new TransportStreamError(
      `Cannot use the stream ${wanted.name}: ${fault}, so that it could drop records unread; mend or remove it`,
    )
  }
}

/** Why a stream might lose what nobody has read. */
function unsafe(config: StreamConfig): string | undefined {
  if (config.retention !== RetentionPolicy.Workqueue) return `its retention is ${config.retention} and not workqueue`
  if (config.discard !== DiscardPolicy.New) return `it discards ${config.discard} messages when it is full`
  if (config.max_age > 0) return 'it drops messages by age'
  if (config.storage !== StorageType.File) return `it keeps messages in ${config.storage}`
  return undefined
}

async function said<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    throw unavailable(doing, thrown)
  }
}

/** What the broker or its client threw, as an error of ours. */
export function unavailable(doing: string, cause: unknown): TransportUnavailableError {
  if (cause instanceof TransportUnavailableError) return cause
  return new TransportUnavailableError(`Cannot ${doing}: the broker refuses or does not answer`, { cause })
}
