import type { ServerResponse } from 'node:http'
import { withAt } from './json.ts'
import type { JsonObject } from './json.ts'
import type { Happened, Objects, ResourceId } from './objects.ts'
import { Refusal, badRequest, expired } from './refusal.ts'
import type { Selects } from './selectors.ts'
import type { WatchEnd } from './types.ts'

export type WatchWish = {
  readonly id: ResourceId
  readonly plural: string
  readonly kind: string
  readonly apiVersion: string
  readonly selects: Selects
  readonly query: URLSearchParams
  readonly response: ServerResponse
}

export type Watches = {
  open(wish: WatchWish): void
  end(how: WatchEnd, plural?: string): number
  count(plural?: string): number
  bookmark(): void
  setLag(ms: number): void
  setWatchList(isOn: boolean): void
}

type Watch = WatchWish & {
  isSilent: boolean
  /** Up to where it was told. */
  sent: number
  /** What it is told later, in order. */
  readonly late: Happened[]
  readonly wantsBookmarks: boolean
}
type Settings = { readonly bookmarkMs: number; lagMs: number; watchList: boolean }

export function createWatches(objects: Objects, settings: Settings): Watches {
  const open = new Set<Watch>()
  const matching = (plural?: string): Watch[] => [...open].filter((watch) => plural === undefined || watch.plural === plural)

  objects.onChange((id, happened) => {
    for (const watch of open) {
      if (watch.id !== id) continue
      if (settings.lagMs === 0 && watch.late.length === 0) tell(watch, happened)
      else {
        watch.late.push(happened)
        // Whichever timer fires first tells the oldest: nothing overtakes when the lag is changed.
        setTimeout(() => tellNext(watch), settings.lagMs).unref()
      }
    }
  })

  return {
    open(wish) {
      const watch = openWatch(wish, { objects, settings })
      if (watch === undefined) return
      open.add(watch)
      const bookmarks = setInterval(() => watch.wantsBookmarks && sendBookmark(watch, objects.revision), settings.bookmarkMs).unref()
      watch.response.on('close', () => {
        clearInterval(bookmarks)
        open.delete(watch)
      })
    },
    end(how, plural) {
      const ended = matching(plural)
      for (const watch of ended) endOne(watch, how)
      return ended.length
    },
    count: (plural) => matching(plural).length,
    bookmark: () => {
      for (const watch of open) if (watch.wantsBookmarks) sendBookmark(watch, objects.revision)
    },
    setLag: (ms) => void (settings.lagMs = ms),
    setWatchList: (isOn) => void (settings.watchList = isOn),
  }
}

function send({ isSilent, response }: Watch, type: string, object: object): void {
  if (!isSilent && !response.destroyed && !response.writableEnded) response.write(`${JSON.stringify({ type, object })}\n`)
}

/** A bookmark promises that everything before it was told. */
function sendBookmark(watch: Watch, revision: number, annotations?: JsonObject): void {
  const { kind, apiVersion } = watch
  const resourceVersion = String(watch.late.length > 0 ? watch.sent : revision)
  send(watch, 'BOOKMARK', { kind, apiVersion, metadata: { resourceVersion, creationTimestamp: null, ...(annotations && { annotations }) } })
}

function tell(watch: Watch, happened: Happened): void {
  if (happened.revision <= watch.sent) return
  watch.sent = happened.revision
  const is = happened.type !== 'DELETED' && watch.selects(happened.object)
  const was = happened.before !== undefined && watch.selects(happened.before)
  if (is) send(watch, was ? 'MODIFIED' : 'ADDED', happened.object)
  else if (was) send(watch, 'DELETED', withAt(happened.object, ['metadata', 'resourceVersion'], String(happened.revision)))
}

function tellNext(watch: Watch): void {
  const happened = watch.late.shift()
  if (happened !== undefined) tell(watch, happened)
}

/** Sends the head and what the watch begins with. `undefined`: it has ended already. */
function openWatch(wish: WatchWish, { objects, settings }: { readonly objects: Objects; readonly settings: Settings }): Watch | undefined {
  const { query, response } = wish
  const begin = beginOf(wish, { objects, watchList: settings.watchList })
  response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' })
  response.flushHeaders()
  const watch: Watch = { ...wish, isSilent: false, sent: 0, late: [], wantsBookmarks: query.get('allowWatchBookmarks') === 'true' }
  if ('refusal' in begin) {
    send(watch, 'ERROR', begin.refusal.body())
    response.end()
    return undefined
  }
  for (const object of begin.initial?.filter(wish.selects) ?? []) send(watch, 'ADDED', object)
  if (begin.endsInitial) sendBookmark(watch, objects.revision, { 'k8s.io/initial-events-end': 'true' })
  for (const happened of begin.since) tell(watch, happened)
  watch.sent = objects.revision
  const seconds = Number(query.get('timeoutSeconds') ?? 0)
  const timer = seconds > 0 ? setTimeout(() => response.end(), seconds * 1000).unref() : undefined
  response.on('close', () => clearTimeout(timer))
  return watch
}

type Begin =
  | { readonly refusal: Refusal }
  | { readonly initial: readonly JsonObject[] | undefined; readonly endsInitial: boolean; readonly since: readonly Happened[] }

/** What a watch begins with. Refusals of the request are thrown; those of the past come as an ERROR event, as the real server does it. */
function beginOf({ id, query }: WatchWish, { objects, watchList }: { readonly objects: Objects; readonly watchList: boolean }): Begin {
  const version = query.get('resourceVersion') ?? ''
  if (query.get('sendInitialEvents') === 'true') {
    if (!watchList)
      throw new Refusal(422, 'Invalid', {
        message: 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
      })
    if (query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw new Refusal(422, 'Invalid', { message: 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan' })
    return { initial: objects.list(id), endsInitial: true, since: [] }
  }
  if (version === '' || version === '0') return { initial: objects.list(id), endsInitial: false, since: [] }
  if (!/^\d+$/.test(version)) throw badRequest(`invalid resource version ${version}`)
  if (Number(version) > objects.revision)
    throw new Refusal(504, 'Timeout', {
      message: `Too large resource version: ${version}, current: ${objects.revision}`,
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    })
  try {
    return { initial: undefined, endsInitial: false, since: objects.since(id, Number(version)) }
  } catch (thrown) {
    if (thrown instanceof Refusal) return { refusal: thrown }
    throw thrown
  }
}

function endOne(watch: Watch, how: WatchEnd): void {
  const { response } = watch
  if (response.writableEnded) return
  switch (how) {
    case 'end':
      return void response.end()
    case 'reset':
      return void response.destroy()
    case 'cut':
      response.write('{"type":"MODIFIED","object":{"kind":')
      return void response.end()
    case 'garbage':
      response.write('this is no event\n')
      return
    case 'silent':
      watch.isSilent = true
      return
    case 410:
      send(watch, 'ERROR', expired().body())
      return void response.end()
    case 429:
      send(watch, 'ERROR', new Refusal(429, 'TooManyRequests', { message: 'too many requests', details: { retryAfterSeconds: 1 } }).body())
      return void response.end()
    case 500:
      send(watch, 'ERROR', new Refusal(500, 'InternalError', { message: 'etcdserver: leader changed' }).body())
      response.end()
  }
}
