import { assert, silentLogger, silentMeters, toAscribeError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import type { KubeClient } from '../client/types.ts'
import { systemClocks, waitFor } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import { LeadershipLostError, isKubeError } from '../errors.ts'
import { LEASES } from '../resources.ts'
import type { Lease } from '../resources.ts'
import { createFence } from './fence.ts'
import type { LeaseEnd } from './fence.ts'
import { watchGaps } from './gaps.ts'
import { heldSpec, isFree, isSameRecord, releasedSpec } from './lease-record.ts'
import type { Observed } from './lease-record.ts'
import type { LeaderElection } from './types.ts'

export type LeaderElectionOptions = {
  readonly client: KubeClient
  readonly namespace: string
  /** Of the Lease. */
  readonly name: string
  /** Of this process; another one must never have the same, so put something random into it. */
  readonly identity: string
  /** How long the lease holds after each renewal. Default 15 s. Mutations with a deadline near it never pass the fence. */
  readonly leaseMs?: number
  /** Not renewed for so long: leadership is given up. Default 10 s. */
  readonly renewMs?: number
  /** Between attempts. Default 2 s. */
  readonly retryMs?: number
  /** What the fence keeps free between the end of a request and the end of the lease: the drift of clocks over one lease. Default 1 s. */
  readonly marginMs?: number
  /** The event loop stood still for longer: the process has to end. Default `leaseMs - renewMs`, the least that the lease is still good for. */
  readonly gapMs?: number
  /** How long `lead` may take to settle after leadership was lost. Default 5 s. */
  readonly graceMs?: number
  readonly clocks?: Clocks
  /** 0 to 1, for jitter. */
  readonly random?: () => number
  readonly logger?: Logger
  readonly meters?: Meters
}

const DEFAULTS = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2000, marginMs: 1000, graceMs: 5000 }
/** A candidate that retries in step with others would meet them every time. */
const RETRY_SPREAD = 0.2

/** Only a renewal of our own that is still on its way can come between. */
const RELEASE_MAX = 3

type Settings = Required<Omit<LeaderElectionOptions, 'clocks' | 'random' | 'logger' | 'meters'>> & {
  readonly clocks: Clocks
  readonly random: () => number
  readonly logger: Logger
}

/** client-go's election over a Lease, with a fence. */
export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const leaseMs = options.leaseMs ?? DEFAULTS.leaseMs
  const renewMs = options.renewMs ?? DEFAULTS.renewMs
  const settings: Settings = {
    ...DEFAULTS,
    gapMs: leaseMs - renewMs,
    ...options,
    leaseMs,
    renewMs,
    clocks: options.clocks ?? systemClocks,
    random: options.random ?? Math.random,
    logger: (options.logger ?? silentLogger).child({ lease: `${options.namespace}/${options.name}`, identity: options.identity }),
  }
  assert(settings.retryMs < renewMs && renewMs < leaseMs, 'retryMs < renewMs < leaseMs must hold')
  const leading = (options.meters ?? silentMeters).gauge('leader_election_master_status', 'Whether this process leads: 1 or 0.')
  const candidate = createCandidate(settings)
  const show = (): void => leading.set(candidate.isLeader() ? 1 : 0, { name: options.name })
  show()
  return {
    isLeader: () => candidate.isLeader(),
    holder: () => candidate.holder(),
    fence: createFence({ clocks: settings.clocks, marginMs: settings.marginMs, leaseEnd: () => candidate.leaseEnd() }),
    async run(signal, lead) {
      if (!(await acquire(settings, candidate, signal))) return
      show()
      settings.logger.info('this process leads now')
      try {
        await keep(settings, candidate, { signal, lead })
      } finally {
        show()
      }
    },
  }
}

type Candidate = {
  /** Tries once to take or to renew the lease. Never throws. */
  attempt(signal: AbortSignal): Promise<boolean>
  release(): Promise<void>
  /** From now on we do not lead, whatever the Lease says. */
  abdicate(): void
  isLeader(): boolean
  holder(): string | undefined
  leaseEnd(): LeaseEnd | undefined
}

function createCandidate(settings: Settings): Candidate {
  const { client, namespace, name, identity, leaseMs, renewMs, clocks, logger } = settings
  const key = { namespace, name }
  let observed: Observed | undefined
  let end: LeaseEnd | undefined

  const see = (lease: Lease): Observed => {
    // Only a change is news: a lease that stands unchanged grows old from when we first saw it.
    if (observed === undefined || !isSameRecord(observed.lease, lease)) observed = { lease, at: clocks.monotonic() }
    else observed = { ...observed, lease }
    return observed
  }

  async function take(signal: AbortSignal): Promise<boolean> {
    const call = { signal, deadlineMs: renewMs }
    const found = await client.tryGet(LEASES, key, call)
    if (found !== undefined) {
      const seen = see(found)
      if (found.spec?.holderIdentity !== identity && !isFree(seen, clocks.monotonic())) return false
    }
    // Before it is sent: by when it arrives nobody knows, and the lease is never longer for us than for the others.
    const sent = { monotonic: clocks.monotonic(), wall: clocks.wall() }
    const spec = heldSpec(found?.spec, { identity, leaseMs, wall: sent.wall })
    const written =
      found === undefined
        ? await client.create(LEASES, { metadata: { namespace, name }, spec }, call)
        : await client.replace(LEASES, { metadata: found.metadata, spec }, call)
    see(written)
    end = { monotonic: sent.monotonic + leaseMs, wall: sent.wall + leaseMs }
    return true
  }

  async function giveBack(): Promise<boolean> {
    const call = { deadlineMs: renewMs }
    // Read anew: a renewal that was cut off by the end may have been written all the same.
    const current = await client.tryGet(LEASES, key, call)
    if (current?.spec?.holderIdentity !== identity) return true
    try {
      await client.replace(LEASES, { metadata: current.metadata, spec: releasedSpec(current.spec, clocks.wall()) }, call)
      logger.info('lease was given back')
      return true
    } catch (thrown) {
      if (isKubeError(thrown, 'Conflict')) return false
      throw thrown
    }
  }

  return {
    async attempt(signal) {
      try {
        return await take(signal)
      } catch (thrown) {
        if (signal.aborted) return false
        // Somebody was faster, or the server is away; both are answered by the next attempt.
        if (!isKubeError(thrown, 'Conflict', 'AlreadyExists')) logger.warn('lease could not be renewed', { error: toAscribeError(thrown) })
        return false
      }
    },
    async release() {
      end = undefined
      try {
        for (let attempt = 0; attempt < RELEASE_MAX; attempt += 1) if (await giveBack()) return
        logger.warn('lease could not be given back, it runs out by itself')
      } catch (thrown) {
        logger.warn('lease could not be given back, it runs out by itself', { error: toAscribeError(thrown) })
      }
    },
    abdicate: () => void (end = undefined),
    isLeader: () => end !== undefined && clocks.monotonic() < end.monotonic,
    holder: () => observed?.lease.spec?.holderIdentity,
    leaseEnd: () => end,
  }
}

/** `false` when `signal` aborted first. */
async function acquire({ clocks, retryMs, random }: Settings, candidate: Candidate, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await candidate.attempt(signal)) return true
    await waitFor(clocks, retryMs * (1 + random() * RETRY_SPREAD), signal).catch(() => {})
  }
  return false
}

type Leading = { readonly signal: AbortSignal; readonly lead: (leading: AbortSignal) => Promise<void> }

/** Renews while `lead` runs. */
async function keep(settings: Settings, candidate: Candidate, { signal, lead }: Leading): Promise<void> {
  const { clocks, logger, graceMs } = settings
  const leading = new AbortController()
  const renewing = new AbortController()
  let lost: LeadershipLostError | undefined
  const lose = (why: string): void => {
    if (lost !== undefined) return
    candidate.abdicate()
    lost = new LeadershipLostError(`Cannot lead any more: ${why}`)
    logger.error('leadership is lost', { why })
    leading.abort(lost)
    renewing.abort(lost)
  }
  const onAbort = (): void => leading.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  using _gaps = watchGaps(clocks, { gapMs: settings.gapMs, onGap: (ms) => lose(`the process stood still for ${Math.round(ms)} ms`) })
  const renewals = renew(settings, candidate, { signal: renewing.signal, lose })
  const led = lead(leading.signal)
  try {
    // The lease is renewed until the last worker has finished: what it does must be ours to do.
    await Promise.race([led, renewals.then(() => settled(led, { clocks, graceMs }))])
  } catch (thrown) {
    if (lost === undefined) throw thrown
  } finally {
    signal.removeEventListener('abort', onAbort)
    renewing.abort()
    leading.abort()
    await renewals
    if (lost === undefined) await candidate.release()
  }
  if (lost !== undefined) throw lost
}

/** Waits for `led`, not for ever; what becomes of it no longer matters. */
async function settled(led: Promise<void>, { clocks, graceMs }: { readonly clocks: Clocks; readonly graceMs: number }): Promise<void> {
  const done = new AbortController()
  const quiet = led.catch(() => {}).finally(() => done.abort())
  await Promise.race([quiet, waitFor(clocks, graceMs, done.signal).catch(() => {})])
}

type Renewing = { readonly signal: AbortSignal; readonly lose: (why: string) => void }

async function renew({ clocks, retryMs, renewMs, random }: Settings, candidate: Candidate, { signal, lose }: Renewing): Promise<void> {
  let renewedAt = clocks.monotonic()
  while (!signal.aborted) {
    await waitFor(clocks, retryMs * (1 - (random() * RETRY_SPREAD) / 2), signal).catch(() => {})
    if (signal.aborted) return
    const startedAt = clocks.monotonic()
    const left = new AbortController()
    // One attempt may not outlast the time in which leadership has to be given up.
    using _limit = clocks.timer(renewedAt + renewMs - startedAt, () => left.abort(new Error('The lease was not renewed in time')))
    if (await candidate.attempt(AbortSignal.any([signal, left.signal]))) renewedAt = startedAt
    else if (!signal.aborted && clocks.monotonic() - renewedAt >= renewMs)
      return lose(`the lease was not renewed for ${renewMs} ms, its holder is ${candidate.holder() || 'nobody'}`)
  }
}
