import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { writePolicyFile } from '@ascribe/identity'
import type { PolicySnapshot } from '@ascribe/identity'
import { errorCode } from '@ascribe/kit'
import type { Logger, TryLock } from '@ascribe/kit'
import { followPolicy, putPolicy } from '@ascribe/transport'
import type { Nats, PolicyValue } from '@ascribe/transport'
import { pause } from './pause.ts'

/** Between two looks at the file; with the gateway's own 200 ms a revoked key works half a second longer at most. */
const LOOK_MS = 100
/** A broker that was emptied has the policy again after this. */
const AGAIN_MS = 2000
const TURNS = 50
const TURN_MS = 20

/** Puts every policy that a settler writes to `path` on the broker, until `signal` fires. Waits out every error. */
export async function publishPolicyFile(
  nats: Nats,
  { path, logger, signal }: { readonly path: string; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  let published: string | undefined
  let publishedAt = -Infinity
  let failing = false
  while (!signal.aborted) {
    const stamp = stampOf(path)
    if (stamp !== undefined && (stamp !== published || performance.now() - publishedAt > AGAIN_MS)) {
      try {
        const value = await readValue(path)
        if (value !== undefined) await putPolicy(nats, value)
        published = stamp
        publishedAt = performance.now()
        failing = false
      } catch (error) {
        if (!failing) logger.error('policy cannot be published to the broker, gateways keep the last one', { error })
        failing = true
        await pause(AGAIN_MS, signal)
      }
    }
    await pause(LOOK_MS, signal)
  }
}

/** Writes every policy of the broker to `path`, where the gateways of this machine read it and keep it, until `signal` fires. */
export async function followPolicyFile(
  nats: Nats,
  {
    path,
    tryLock,
    logger,
    signal,
  }: { readonly path: string; readonly tryLock: TryLock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  let newest: PolicyValue | undefined
  let wake = Promise.withResolvers<void>()
  const following = followPolicy(
    nats,
    (value) => {
      newest = value
      wake.resolve()
    },
    signal,
  )
  while (!signal.aborted) {
    const value = newest
    newest = undefined
    if (value !== undefined) await writeValue(path, value, { tryLock, logger })
    if (newest !== undefined) continue
    wake = Promise.withResolvers<void>()
    await pause(AGAIN_MS, signal, wake.promise)
  }
  await following
}

async function writeValue(
  path: string,
  value: PolicyValue,
  { tryLock, logger }: { readonly tryLock: TryLock; readonly logger: Logger },
): Promise<void> {
  try {
    // Whole, by its checksum; what a newer program put into it stays in it.
    const snapshot = JSON.parse(Buffer.from(value.content).toString()) as PolicySnapshot
    for (let turn = 0; turn < TURNS && writePolicyFile(path, snapshot, tryLock) === 'busy'; turn += 1) await delay(TURN_MS)
  } catch (error) {
    logger.error('policy of the broker cannot be kept, the last one stays in force', { error })
  }
}

async function readValue(path: string): Promise<PolicyValue | undefined> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
  const { ledger, version } = JSON.parse(content.toString()) as PolicySnapshot
  return { ledger, version, content }
}

function stampOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : `${stats.ino}.${stats.size}.${stats.mtimeNs}`
}
