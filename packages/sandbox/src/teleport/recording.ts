import { randomUUID } from 'node:crypto'
import type { AppSession } from './sessions.ts'

/** An event as Teleport prints it: `tctl` and exporters for the log, `tsh play --format json` for a recording. */
export type TeleportEvent = Readonly<Record<string, unknown>> & {
  readonly event: 'app.session.start' | 'app.session.chunk' | 'app.session.request' | 'app.session.end'
  readonly code: string
  /** RFC 3339, UTC. */
  readonly time: string
}

/** A request, as it goes into the recording: no headers, hence not whose bill it was about. */
export type RequestFacts = { readonly method: string; readonly path: string; readonly rawQuery: string; readonly statusCode: number }

const CODES = { 'app.session.start': 'T2007I', 'app.session.chunk': 'T2008I', 'app.session.request': 'T2009I', 'app.session.end': 'T2011I' }
/** Events kept, in the log and over all recordings. */
const EVENTS_MAX = 10_000
const SERVER_ID = randomUUID()

/** The audit log, which names users and sessions, and the recordings, which hold requests: two places, joined by `session_chunk_id`. */
export class Recorder {
  readonly #clusterName: string
  readonly #now: () => number
  readonly #log: TeleportEvent[] = []
  readonly #recordings = new Map<string, TeleportEvent[]>()
  #requests = 0

  constructor({ clusterName, now }: { readonly clusterName: string; readonly now: () => number }) {
    this.#clusterName = clusterName
    this.#now = now
  }

  /** The main audit log, oldest first. Requests are not in it. */
  get log(): readonly TeleportEvent[] {
    return [...this.#log]
  }

  /** A piece of a session by `session_chunk_id`, oldest request first. */
  recording(chunkId: string): readonly TeleportEvent[] | undefined {
    const events = this.#recordings.get(chunkId)
    return events === undefined ? undefined : [...events]
  }

  started(session: AppSession, loginIp: string): void {
    this.#write({
      ...this.#event('app.session.start'),
      ...userOf(session),
      user_roles: session.operator.roles,
      user_traits: session.operator.traits,
      'addr.remote': loginIp,
      public_addr: session.app.publicAddr,
    })
  }

  /** A new piece of a session. Gives its id. */
  chunkStarted(session: AppSession): string {
    const id = randomUUID()
    this.#write({ ...this.#event('app.session.chunk'), ...userOf(session), server_id: SERVER_ID, session_chunk_id: id })
    this.#recordings.set(id, [])
    return id
  }

  ended(session: AppSession): void {
    this.#write({ ...this.#event('app.session.end'), ...userOf(session), server_id: SERVER_ID })
  }

  /** Goes to the recording only, as in Teleport: the main log never has it. */
  requested(session: AppSession, chunkId: string, { method, path, rawQuery, statusCode }: RequestFacts): void {
    const events = this.#recordings.get(chunkId)
    if (events === undefined) return
    events.push({
      ...this.#event('app.session.request'),
      ...appOf(session),
      status_code: statusCode,
      path,
      raw_query: rawQuery,
      method,
    })
    this.#requests += 1
    if (this.#requests <= EVENTS_MAX) return
    // The oldest recording goes as a whole.
    const [oldest] = this.#recordings
    if (oldest === undefined) return
    this.#recordings.delete(oldest[0])
    this.#requests -= oldest[1].length
  }

  #event(event: TeleportEvent['event']): TeleportEvent {
    return {
      ei: 0,
      event,
      code: CODES[event],
      uid: randomUUID(),
      time: new Date(this.#now()).toISOString(),
      cluster_name: this.#clusterName,
    }
  }

  #write(event: TeleportEvent): void {
    this.#log.push(event)
    if (this.#log.length > EVENTS_MAX) this.#log.shift()
  }
}

function userOf(session: AppSession): Readonly<Record<string, unknown>> {
  return { user: session.operator.name, sid: session.id, ...appOf(session) }
}

function appOf({ app }: AppSession): Readonly<Record<string, unknown>> {
  return { app_uri: app.uri, app_public_addr: app.publicAddr, app_name: app.name }
}
