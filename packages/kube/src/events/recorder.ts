import { silentLogger, silentMeters, toAscribeError } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import type { KubeClient } from '../client/types.ts'
import { systemClocks, waitFor } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import { microTime } from '../election/lease-record.ts'
import { isKubeError } from '../errors.ts'
import type { KubeObject, ObjectKey } from '../objects.ts'
import { EVENTS } from '../resources.ts'
import type { ObjectReference } from '../resources.ts'
import { createSpamFilter } from './spam-filter.ts'
import type { EventNote, EventRecorder } from './types.ts'

export type EventRecorderOptions = {
  readonly client: KubeClient
  /** `ascribe.dev/controller`: which program says it. */
  readonly controller: string
  /** Which process of it. */
  readonly instance: string
  readonly clocks?: Clocks
  readonly logger?: Logger
  readonly meters?: Meters
}

/** Field limits of events.k8s.io/v1. */
const NOTE_MAX = 1024
const REASON_MAX = 128
/** Beyond it events are dropped: they are hints for people, and must not hold memory while the server is away. */
const WAITING_MAX = 1000
/** A series ends when it was quiet for so long; client-go's. */
const SERIES_MS = 360_000
const SERIES_MAX = 4096
const DEADLINE_MS = 5000
/** How long is waited for what is left. */
const CLOSE_MS = 5000

type Series = { readonly key: ObjectKey; count: number; at: number }
type Waiting = { readonly regarding: ObjectReference; readonly note: Required<EventNote>; readonly wall: number }

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client } = options
  const clocks = options.clocks ?? systemClocks
  const logger = options.logger ?? silentLogger
  const dropped = (options.meters ?? silentMeters).counter('ascribe_kube_events_dropped_total', 'Events that were not written, by reason.')
  const maySpeak = createSpamFilter(clocks)
  const series = new Map<string, Series>()
  const stop = new AbortController()
  let last = Promise.resolve()
  let waiting = 0
  let sequence = 0

  async function write(event: Waiting): Promise<void> {
    const id = JSON.stringify([event.regarding, event.note])
    const known = series.get(id)
    if (known !== undefined && clocks.monotonic() - known.at < SERIES_MS && (await countUp(known, event.wall))) return
    const namespace = event.regarding.namespace ?? 'default'
    // As client-go names them; the counter keeps two of one millisecond apart.
    const key = {
      namespace,
      name: `${event.regarding.name.slice(0, 200)}.${event.wall.toString(16)}${(sequence++ % 65_536).toString(16).padStart(4, '0')}`,
    }
    await client.create(EVENTS, eventOf(event, { key, options }), { deadlineMs: DEADLINE_MS, signal: stop.signal })
    series.delete(id)
    series.set(id, { key, count: 1, at: clocks.monotonic() })
    const oldest = series.size > SERIES_MAX ? series.keys().next().value : undefined
    if (oldest !== undefined) series.delete(oldest)
  }

  /** `false` when the event is gone (they live for an hour): then it begins anew. */
  async function countUp(known: Series, wall: number): Promise<boolean> {
    const body = { series: { count: known.count + 1, lastObservedTime: microTime(wall) } }
    try {
      await client.patch(EVENTS, known.key, { patch: { type: 'merge', body }, deadlineMs: DEADLINE_MS, signal: stop.signal })
    } catch (thrown) {
      if (isKubeError(thrown, 'NotFound')) return false
      throw thrown
    }
    known.count += 1
    known.at = clocks.monotonic()
    return true
  }

  return {
    record(regarding, note) {
      const reference = referenceTo(regarding)
      if (stop.signal.aborted) return
      if (!maySpeak(`${reference.kind}/${reference.namespace}/${reference.name}/${reference.uid}`))
        return dropped.add(1, { reason: 'spam' })
      if (waiting >= WAITING_MAX) return dropped.add(1, { reason: 'full' })
      waiting += 1
      const event: Waiting = { regarding: reference, note: trimmed(note), wall: clocks.wall() }
      last = last.then(async () => {
        try {
          await write(event)
        } catch (thrown) {
          dropped.add(1, { reason: 'failed' })
          if (!stop.signal.aborted) logger.debug('event could not be written', { error: toAscribeError(thrown) })
        } finally {
          waiting -= 1
        }
      })
    },
    flush: () => last,
    async [Symbol.asyncDispose]() {
      const done = new AbortController()
      const written = last.then(() => done.abort())
      await Promise.race([written, waitFor(clocks, CLOSE_MS, done.signal).catch(() => {})])
      stop.abort()
      await last
    },
  }
}

function trimmed(note: EventNote): Required<EventNote> {
  return {
    type: note.type,
    reason: note.reason.slice(0, REASON_MAX),
    note: note.note.slice(0, NOTE_MAX),
    action: (note.action ?? 'Reconcile').slice(0, REASON_MAX),
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  // Without its version: that would make each version of an object a series of its own.
  const { name = '', namespace, uid } = metadata
  return { apiVersion, kind, name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) }
}

function eventOf(
  { regarding, note, wall }: Waiting,
  { key, options }: { readonly key: ObjectKey; readonly options: EventRecorderOptions },
): { readonly metadata: object; readonly [field: string]: unknown } {
  return {
    metadata: key,
    eventTime: microTime(wall),
    ...note,
    reportingController: options.controller,
    reportingInstance: options.instance.slice(0, REASON_MAX),
    regarding,
  }
}
