import { toAscribeError } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { createBackoff } from '../backoff.ts'
import { listAll } from '../client/list.ts'
import { collectionPath, operationOn } from '../client/paths.ts'
import { waitFor } from '../clocks.ts'
import type { Clocks } from '../clocks.ts'
import type { KubeConnection, KubeStream } from '../connection/types.ts'
import { KubeError, isKubeError } from '../errors.ts'
import type { KubeObject, Resource } from '../objects.ts'
import type { ReflectorMeters } from './meters.ts'
import { readEvent } from './watch-event.ts'
import type { WatchEvent } from './watch-event.ts'

/** Where a reflector puts what it learns. */
export type ReflectorSink<T extends KubeObject> = {
  replace(objects: readonly T[]): void
  put(object: T): void
  remove(object: T): void
  /** The server was heard of. */
  heard(): void
}

export type ReflectorOptions<T extends KubeObject> = {
  readonly connection: KubeConnection
  readonly resource: Resource<T>
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly sink: ReflectorSink<T>
  readonly clocks: Clocks
  readonly random: () => number
  readonly logger: Logger
  readonly meters: ReflectorMeters
}

/** client-go's: a server that restarts is not met by everybody at once. */
const BACKOFF = { baseMs: 800, maxMs: 30_000, resetMs: 120_000 }
/** How long the server should hold a watch: spread, so that watches do not all end together. client-go's 5 to 10 minutes. */
const WATCH_S = { min: 300, spread: 300 }
/** A server that ends watches by itself does so in time; one that is silent beyond this is not there. */
const SILENCE_EXTRA_MS = 30_000
/** Once bookmarks have come, which is about once a minute, three that are missing say enough. */
const SILENCE_BOOKMARKS_MS = 195_000
/** A watch that ends sooner with nothing in it is a failure, or re-watching would become a storm. */
const SHORT_WATCH_MS = 1000
/** The belt to the braces: everything again, 10 h ± 10 % as controller-runtime's resync. */
const RELIST_MS = { base: 9 * 3_600_000, spread: 2 * 3_600_000 }
const LIST_DEADLINE_MS = 120_000

/** Lists and watches until the signal aborts; never ends by itself, whatever the server does. */
export async function runReflector<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  const { clocks, random, logger, meters, resource } = options
  const backoff = createBackoff({ clocks, random, ...BACKOFF })
  const state: State = { version: undefined, streamsLists: true, bookmarks: false, relistAt: Infinity }
  while (!signal.aborted) {
    try {
      await cycle(options, state, signal)
      continue
    } catch (thrown) {
      if (signal.aborted) return
      const fault = thrown instanceof KubeError ? thrown : undefined
      // What was seen up to `version` is still right unless the server forgot it, or speaks of another history.
      if (fault === undefined || !KEEPS_VERSION.has(fault.reason)) state.version = undefined
      const pauseMs = Math.max(backoff.next(), fault?.retryAfterMs ?? 0)
      meters.failed(resource, fault?.reason ?? 'Malformed')
      const expected = isKubeError(thrown, 'Expired', 'Gone')
      const fields = { resource: resource.plural, pauseMs: Math.round(pauseMs), error: toAscribeError(thrown) }
      if (expected) logger.info('watch has expired, listing again', fields)
      else logger.warn('watch broke', fields)
      await waitFor(clocks, pauseMs, signal).catch(() => {})
    }
  }
}

type State = {
  /** Where the next watch goes on; opaque. `undefined`: a list is due. */
  version: string | undefined
  /** Whether the server sends lists as watches (WatchList, `sendInitialEvents`); assumed until it refuses. */
  streamsLists: boolean
  /** Whether a bookmark ever came. */
  bookmarks: boolean
  relistAt: number
}

/** After these the watch goes on where it was. */
const KEEPS_VERSION: ReadonlySet<string> = new Set([
  'Network',
  'Deadline',
  'TooManyRequests',
  'InternalError',
  'ServiceUnavailable',
  'ServerTimeout',
])

async function cycle<T extends KubeObject>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<void> {
  const { clocks, meters, resource } = options
  if (clocks.monotonic() >= state.relistAt) state.version = undefined
  const isInitial = state.version === undefined
  if (isInitial && !state.streamsLists) await list(options, state, signal)
  meters.watching(resource, isInitial && state.streamsLists ? 'list' : 'watch')
  await watch(options, state, signal)
}

async function list<T extends KubeObject>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<void> {
  const { connection, resource, namespace, labelSelector, fieldSelector, sink } = options
  options.meters.listing(resource)
  const { items, resourceVersion } = await listAll(connection, resource, {
    ...(namespace !== undefined && { namespace }),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
    deadlineMs: LIST_DEADLINE_MS,
    signal,
  })
  filled(options, state, resourceVersion)
  sink.replace(items)
}

function filled<T extends KubeObject>({ sink, clocks, random }: ReflectorOptions<T>, state: State, version: string): void {
  state.version = version
  state.relistAt = clocks.monotonic() + RELIST_MS.base + random() * RELIST_MS.spread
  sink.heard()
}

async function watch<T extends KubeObject>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<void> {
  const { clocks, resource } = options
  const operation = operationOn('watch', resource)
  const staged = state.version === undefined ? new Map<string, T>() : undefined
  const start = clocks.monotonic()
  let events = 0
  try {
    await using stream = await openWatch(options, state, signal)
    // It goes on from what we have: were there more, it would come.
    if (state.version !== undefined) options.sink.heard()
    for await (const line of stream.lines) {
      if (signal.aborted) return
      options.sink.heard()
      take(options, { state, staged: state.version === undefined ? staged : undefined, event: readEvent<T>(line, operation) })
      events += 1
    }
  } catch (thrown) {
    if (state.version === undefined && refusesStreaming(thrown)) {
      state.streamsLists = false
      return
    }
    throw thrown
  }
  if (state.version === undefined) state.streamsLists = false
  else if (events === 0 && clocks.monotonic() - start < SHORT_WATCH_MS)
    throw new KubeError(operation, { reason: 'Network', message: 'the server ended it at once' })
}

/** Anything that a server says when it cannot do it; what is wrong with the connection or the server says nothing about that. */
function refusesStreaming(thrown: unknown): boolean {
  if (!(thrown instanceof KubeError)) return false
  return thrown.status === undefined
    ? thrown.reason === 'Deadline' || thrown.reason === 'Malformed'
    : [400, 422].includes(thrown.status) || thrown.reason === 'Malformed'
}

async function openWatch<T extends KubeObject>(options: ReflectorOptions<T>, state: State, signal: AbortSignal): Promise<KubeStream> {
  const { connection, resource, namespace, labelSelector, fieldSelector, random } = options
  const timeoutSeconds = Math.round(WATCH_S.min + random() * WATCH_S.spread)
  const untilEnd = timeoutSeconds * 1000 + SILENCE_EXTRA_MS
  return connection.stream({
    path: collectionPath(resource, namespace),
    query: {
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds,
      labelSelector,
      fieldSelector,
      resourceVersion: state.version,
      ...(state.version === undefined && { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }),
    },
    operation: operationOn('watch', resource),
    silenceMs: state.bookmarks ? Math.min(SILENCE_BOOKMARKS_MS, untilEnd) : untilEnd,
    signal,
  })
}

type Taken<T extends KubeObject> = { readonly state: State; readonly staged: Map<string, T> | undefined; readonly event: WatchEvent<T> }

function take<T extends KubeObject>(options: ReflectorOptions<T>, { state, staged, event }: Taken<T>): void {
  const { sink, resource } = options
  switch (event.type) {
    case 'ERROR':
      throw new KubeError(operationOn('watch', resource), event.fault)
    case 'BOOKMARK':
      state.bookmarks = true
      if (staged !== undefined) {
        if (!event.endsInitial) return
        filled(options, state, event.version)
        sink.replace([...staged.values()])
        staged.clear()
      } else state.version = event.version
      return
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      if (staged === undefined) {
        state.version = event.version
        if (event.type === 'DELETED') sink.remove(event.object)
        else sink.put(event.object)
        return
      }
      const { namespace = '', name = '' } = event.object.metadata
      if (event.type === 'DELETED') staged.delete(`${namespace}/${name}`)
      else staged.set(`${namespace}/${name}`, event.object)
    }
  }
}
