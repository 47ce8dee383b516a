import type { BoundSocket, FailureKind, RawHeaders, Refusal, Reply, RequestHead, Upstream } from './types.ts'

/** One request of a client and the way to answer it. node:http stands behind it, in client-server.ts, and nowhere else. */
export type Client = {
  readonly head: RequestHead
  /** Bytes of body that the head announces; 0: none, -1: chunked, so unknown. */
  readonly bodyBytes: number
  /** Whether a byte of the reply's head has been handed on. */
  readonly headSent: boolean
  /** Says 100 (Continue) to a client that waits for it and starts `bodyChunk` and `bodyEnd`. */
  readBody(): void
  /**
   * Sets the reply's head. It leaves with the first `write`, with `end` or with `flush`. Gives the bytes of body that it
   * promises; -1: it promises nothing, or there is no body. Throws for what cannot be said in HTTP. `known`: the upstream's own
   * fields, as they were read.
   */
  setHead(status: number, headers: RawHeaders, known: RawHeaders): number
  /** Hands the head over by itself. */
  flush(): void
  /** False: the client takes no more for now; `drained` will be called. The chunk was taken all the same. */
  write(chunk: Buffer): boolean
  /** Ends the reply, with a last chunk if there is one: one system call for both. */
  end(chunk: Buffer | undefined): void
  /** A whole reply of our own. The connection stays open unless the body was not read to its end or `close` is set. */
  reply(reply: Reply, close: boolean): void
  /** Breaks the connection with a TCP reset: a client cannot take that for the end of a reply. */
  reset(): void
}

/** What befalls a request at the client's side. */
export type ClientEvents = {
  bodyChunk(chunk: Buffer): void
  bodyEnd(): void
  /** After a `write` that returned false: there is room again. */
  drained(): void
  /**
   * The client left before its reply had been flushed. `closed`: the connection is gone. Otherwise it only has ended its
   * side (FIN): most likely it has gone, but it may still be reading. May come twice, FIN first.
   */
  left(closed: boolean): void
}

export type ClientServer = {
  readonly url: string
  /** Of the sockets that are listened on. */
  readonly fds: readonly number[]
  /** Listens on one more socket. */
  listen(socket: BoundSocket): Promise<void>
  /** Stops accepting; every reply from now on says that its connection is closed. Resolves when the last is. */
  retire(): Promise<unknown>
  /** Stops accepting and closes idle connections; every reply from now on closes its connection. Resolves when the last is closed. */
  close(): Promise<void>
  /** Breaks every connection that is left. */
  destroy(): void
}

/** A request as it goes up. `host`, `content-length` and the hop-by-hop fields are the transport's business. */
export type UpstreamRequest = {
  readonly upstream: Upstream
  readonly method: string
  readonly target: string
  readonly headers: RawHeaders
  /** The client's own fields, as they were read: those of `headers` that are among them need no second look. */
  readonly knownHeaders: RawHeaders
  readonly body: readonly Buffer[]
}

/** What befalls a request at the upstream's side: `sent`? `head`? `data`* (`end` | `failed`). Nothing after `abort`. */
export type UpstreamEvents = {
  /** The whole request has been written to the connection; its body is no longer held. */
  sent(): void
  /** Hop-by-hop fields have been removed (RFC 9110 section 7.6.1). */
  head(status: number, headers: RawHeaders): void
  /** What came in one piece with the head has been told, and the end of the reply was not in it. At most once. */
  headAlone(): void
  data(chunk: Buffer): void
  end(): void
  failed(kind: FailureKind, cause: unknown): void
}

export type UpstreamCall = {
  /** It waits for a connection: the upstream has seen nothing. */
  readonly waits: boolean
  /** At most one more chunk of up to 64 KiB comes after this. */
  pause(): void
  resume(): void
  /** Closes the connection to the upstream. No event follows. */
  abort(): void
}

/** The way to upstreams. */
export type Transport = {
  /** Never throws. Events may come before it returns. */
  send(request: UpstreamRequest, events: UpstreamEvents): UpstreamCall
  /** Breaks what is left and frees every connection. */
  close(): Promise<void>
}

/** Makes the reply to a refusal, and counts it. */
export type Refuse = (refusal: Refusal) => Reply
