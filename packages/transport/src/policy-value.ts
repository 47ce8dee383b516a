import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { Nats } from './connection.ts'
import { TransportMessageError } from './errors.ts'
import { ensurePolicyStream, isNotFound, policyStreamOf, unavailable } from './streams.ts'

/** A policy snapshot as bytes, and what says which of two is newer. */
export type PolicyValue = { readonly ledger: string; readonly version: number; readonly content: Uint8Array }

type Head = { readonly ledger: string; readonly version: number; readonly sha256: string; readonly parts: number }
type FoundHead = { readonly head: Head; readonly sequence: number }

/** Half of the broker's default bound on a message. */
const PART_BYTES = 512 * 1024
/** Between two looks that no notice asked for; a notice is lost when the broker is away. */
const LOOK_MS = 1000
/** Another settler may publish in the same moment; the newer version wins in the end. */
const ATTEMPTS_MAX = 5
/** Of the broker: the last message of the subject is not the one that was named. */
const WRONG_LAST_SEQUENCE = 10_071

/** Unpacked: two million keys. */
const BYTES_MAX = 512 * 1024 * 1024

const packed = promisify(gzip)
/** Bounded, because whoever can publish to the broker chooses what is unpacked here. */
const unpacked = (data: Uint8Array): Promise<Buffer> => promisify(gunzip)(data, { maxOutputLength: BYTES_MAX })

/**
 * Puts a policy where gateways look, unless one as new is there: parts first, then the head that names them, so that nobody reads half of one.
 * @throws {TransportUnavailableError}
 */
export async function putPolicy(nats: Nats, value: PolicyValue): Promise<'put' | 'current'> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const found = await readHead(nats)
      if (found !== undefined && found.head.ledger === value.ledger && found.head.version >= value.version) return 'current'
      if (await tryPut(nats, value, found)) return 'put'
    }
    return 'current'
  } catch (thrown) {
    throw unavailable('publish the policy', thrown)
  }
}

async function tryPut(nats: Nats, { ledger, version, content }: PolicyValue, before: FoundHead | undefined): Promise<boolean> {
  const client = await nats.jetStream()
  const sha256 = createHash('sha256').update(content).digest('hex')
  const zipped = await packed(content)
  const parts = Math.max(1, Math.ceil(zipped.length / PART_BYTES))
  for (let part = 0; part < parts; part += 1) {
    await client.publish(partSubject(nats, sha256, part), zipped.subarray(part * PART_BYTES, (part + 1) * PART_BYTES))
  }
  const head: Head = { ledger, version, sha256, parts }
  try {
    await client.publish(headSubject(nats), JSON.stringify(head), { expect: { lastSubjectSequence: before?.sequence ?? 0 } })
  } catch (thrown) {
    if (thrown instanceof JetStreamApiError && thrown.code === WRONG_LAST_SEQUENCE) return false
    throw thrown
  }
  if (before !== undefined && before.head.sha256 !== sha256) {
    await (await nats.manager()).streams.purge(policyStreamOf(nats), { filter: `${partsSubject(nats, before.head.sha256)}.>` })
  }
  return true
}

async function readHead(nats: Nats): Promise<FoundHead | undefined> {
  try {
    return await headIn(nats)
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
    await ensurePolicyStream(nats)
    return undefined
  }
}

/** `undefined`: nothing was published yet. */
async function headIn(nats: Nats): Promise<FoundHead | undefined> {
  const found = await (await nats.manager()).streams.getMessage(policyStreamOf(nats), { last_by_subj: headSubject(nats) })
  if (found === null) return undefined
  const head = found.json<Partial<Head>>()
  const { ledger, version, sha256, parts } = head
  if (typeof ledger !== 'string' || typeof version !== 'number' || typeof sha256 !== 'string' || typeof parts !== 'number') {
    throw new TransportMessageError('Cannot read the head of the policy: it does not have the shape of one')
  }
  return { head: { ledger, version, sha256, parts }, sequence: found.seq }
}

/**
 * Gives every new policy to `take`, from the one that is in force now on, until `signal` fires. Whatever goes wrong is waited out: the
 * last one given stays in force.
 */
export async function followPolicy(nats: Nats, take: (value: PolicyValue) => void, signal: AbortSignal): Promise<void> {
  let taken: string | undefined
  let failing = false
  let wake = Promise.withResolvers<void>()
  const stop = (): void => wake.resolve()
  signal.addEventListener('abort', stop)
  let subscription: Disposable | undefined
  while (!signal.aborted) {
    wake = Promise.withResolvers<void>()
    try {
      subscription ??= await onHead(nats, () => wake.resolve())
      const found = await headIn(nats)
      const name = found === undefined ? undefined : `${found.head.ledger}/${found.head.version}/${found.head.sha256}`
      if (found !== undefined && name !== taken) {
        take({ ledger: found.head.ledger, version: found.head.version, content: await readParts(nats, found.head) })
        taken = name
      }
      if (failing) nats.logger.info('policy is followed again')
      failing = false
    } catch (error) {
      if (!failing) nats.logger.warn('policy cannot be read from the broker, the last one stays in force', { error })
      failing = true
    }
    const timer = setTimeout(() => wake.resolve(), LOOK_MS)
    if (!signal.aborted) await wake.promise
    clearTimeout(timer)
  }
  signal.removeEventListener('abort', stop)
  subscription?.[Symbol.dispose]()
}

async function onHead(nats: Nats, listen: () => void): Promise<Disposable> {
  const subscription = (await nats.core()).subscribe(headSubject(nats), { callback: listen })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}

async function readParts(nats: Nats, { sha256, parts }: Head): Promise<Uint8Array> {
  const manager = await nats.manager()
  const found: Uint8Array[] = []
  for (let part = 0; part < parts; part += 1) {
    const message = await manager.streams.getMessage(policyStreamOf(nats), { last_by_subj: partSubject(nats, sha256, part) })
    // Purged since the head was read: a newer one is there.
    if (message === null) throw new TransportMessageError('Cannot read the policy: a part of it is gone')
    found.push(message.data)
  }
  const content = await unpacked(Buffer.concat(found))
  const actual = createHash('sha256').update(content).digest('hex')
  if (actual !== sha256) throw new TransportMessageError('Cannot read the policy: its content is not what its head says')
  return content
}

function headSubject({ prefix }: Nats): string {
  return `${prefix}.policy.head`
}

function partsSubject({ prefix }: Nats, sha256: string): string {
  return `${prefix}.policy.part.${sha256.slice(0, 32)}`
}

function partSubject(nats: Nats, sha256: string, part: number): string {
  return `${partsSubject(nats, sha256)}.${part}`
}
