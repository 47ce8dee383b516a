/** What the sandbox Teleport says of a request that it was sent. */
export type SeenRequest = {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly origin?: string
  readonly outcome: string
}
export type TeleportEvent = Readonly<Record<string, unknown>> & { readonly event: string; readonly time: string }

/** The sandbox Teleport of a running product, by the port of one of its apps. */
export class TeleportControl {
  readonly #base: string

  constructor(appUrl: string) {
    // By address: only browsers resolve names below localhost.
    this.#base = `http://127.0.0.1:${new URL(appUrl).port}/sandbox`
  }

  /** Signs in without a browser; gives the Cookie header. */
  async signIn(user: string, app: string, ttlMs?: number): Promise<string> {
    return (await this.#post<{ readonly cookie: string }>('/sessions', { user, app, ...(ttlMs !== undefined && { ttlMs }) })).cookie
  }

  sessions(): Promise<readonly { readonly sid: string; readonly user: string; readonly app: string }[]> {
    return this.#get('/sessions')
  }

  async end(which: { readonly sid?: string; readonly user?: string }): Promise<void> {
    await this.#post('/sessions/end', which)
  }

  /** The next request of each session gets a new assertion, signed by a new key. */
  async renewAssertions(): Promise<void> {
    await this.#post('/keys/rotate', {})
  }

  /** Replaces what the proxy does wrong. */
  async setFaults(faults: Readonly<Record<string, unknown>>): Promise<void> {
    const reply = await fetch(`${this.#base}/faults`, { method: 'PUT', body: JSON.stringify(faults) })
    if (!reply.ok) throw new Error(`The sandbox Teleport does not take ${JSON.stringify(faults)}: ${await reply.text()}`)
  }

  seen(): Promise<readonly SeenRequest[]> {
    return this.#get('/seen')
  }

  events(): Promise<readonly TeleportEvent[]> {
    return this.#get('/events')
  }

  /** What `tsh play --format json` would print. */
  recording(chunkId: string): Promise<readonly TeleportEvent[]> {
    return this.#get(`/recordings/${chunkId}`)
  }

  async #get<Answer>(path: string): Promise<Answer> {
    return (await (await fetch(this.#base + path)).json()) as Answer
  }

  async #post<Answer>(path: string, body: object): Promise<Answer> {
    const reply = await fetch(this.#base + path, { method: 'POST', body: JSON.stringify(body) })
    if (!reply.ok) throw new Error(`The sandbox Teleport answered ${reply.status} to ${path}: ${await reply.text()}`)
    return (await reply.json()) as Answer
  }
}
