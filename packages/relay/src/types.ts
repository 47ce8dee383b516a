/** Header fields as on the wire: name, value, name, value, … in order, repeated ones kept, names as they were written. */
export type RawHeaders = readonly string[]

/** The head of a client's request. Nothing has been trusted, changed or joined yet. */
export type RequestHead = {
  readonly method: string
  /** Path and query exactly as sent, for example `/v1/chat/completions?x=1`. */
  readonly target: string
  readonly headers: RawHeaders
  /** Address of the socket's peer; an IPv4 address mapped into IPv6 (`::ffff:`) is unmapped. Never from a header. */
  readonly peer: string
}

/** A whole reply made here. `content-length` and `date` are added. */
export type Reply = { readonly status: number; readonly headers: RawHeaders; readonly body: string | Buffer }

/** Where a request goes. One pool of connections for each distinct `origin` and option set. */
export type Upstream = {
  /** `http://host:port` or `https://host:port`; no path. */
  readonly origin: string
  /** PEM of the certificate authorities to trust instead of the machine's; https only. */
  readonly ca?: string
  /** Most connections at once; further requests wait in the pool. Default 1024. */
  readonly connectionsMax?: number
  /** Most requests that wait for a connection; one more fails with `busy`. Default 1024. */
  readonly waitingMax?: number
  /** How long one waits for a connection before it fails with `busy`. Default 30 s. */
  readonly waitTimeoutMs?: number
  /** Default 5 s. */
  readonly connectTimeoutMs?: number
  /** From the last byte of the request to the head of the reply. Default 10 min: a long prompt without streaming. */
  readonly headTimeoutMs?: number
  /** Longest silence inside a reply's body. Default 10 min. */
  readonly idleTimeoutMs?: number
}

/** The first word on a request, from its head alone. A `reply` never reads the body. */
export type Verdict =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'read'; readonly bodyBytesMax: number; readonly decide: (body: Buffer) => Decision }

/** The second word, with the whole body at hand. */
export type Decision =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | {
      readonly kind: 'forward'
      readonly upstream: Upstream
      readonly method: string
      /** Path and query to ask the upstream for. */
      readonly target: string
      /** As they go up, but for `host`, `content-length` and `connection`, which the transport writes. */
      readonly headers: RawHeaders
      /** Sent one after the other. */
      readonly body: readonly Buffer[]
      /** The upstream sees nothing before this resolves; when it rejects, `exchange.fail` gets `not_admitted`. */
      readonly ready: Promise<void>
      readonly exchange: Exchange
      /** Where else the request may go. Absent: it is sent once. */
      readonly retry?: Retry
    }

/** Says where else a request goes when an upstream does not serve it. */
export type Retry = {
  /**
   * How long the request's body is held for another upstream. `sent`: until the first one has all of it, so that only one that nobody took is
   * sent again. `head`: until a reply's head was passed on.
   */
  readonly until: 'sent' | 'head'
  /**
   * Asked about a failure before a head, and with `until: 'head'` about each head, while client and exchange know of nothing. Gives where else
   * the same bytes go, or `undefined`: it stands, and the exchange is told. Not asked after a head was given to the exchange, after the client
   * has left, while the relay is closing, or more than {@link RESENDS_MAX} times.
   */
  next(setback: Setback): Resend | undefined
}

/** The most times that one request is sent again. */
export const RESENDS_MAX = 3

/** What an upstream made of a request: it failed before its head came, or this is its head. To give it up closes its connection. */
export type Setback = Failure | { readonly kind: 'status'; readonly status: number; readonly headers: RawHeaders }

/** Another place for a request. Method and body stay as they are. */
export type Resend = { readonly upstream: Upstream; readonly target: string; readonly headers: RawHeaders }

/**
 * One admitted request, as its owner follows it. Calls come in this order, none concurrently:
 * `head`? `data`* (`end` | `fail`), with `clientGone` at most once anywhere before `end` or `fail`.
 * Exactly one of `end` and `fail` is called, always, also on shutdown. None of them may throw.
 */
export type Exchange = {
  /** The upstream's head, hop-by-hop fields removed (RFC 9110 section 7.6.1). Gives the head for the client. */
  head(status: number, headers: RawHeaders): { readonly status: number; readonly headers: RawHeaders }
  /** De-framed bytes of the reply, in order. Writes to `sink` what the client may have by now. */
  data(chunk: Buffer, sink: Sink): void
  /** The upstream's reply is whole. Writes what was held and ends the sink. */
  end(sink: Sink): void
  /** It went wrong. Before the head: writes a whole reply. After it: resets. */
  fail(failure: Failure, sink: Sink): void
  /**
   * The client left, and its reply had not ended. Says how far the upstream is still read for its usage; `data` and `end`
   * go on being called meanwhile. When a bound is hit the upstream is cancelled and `fail` gets `drain_exceeded`.
   */
  clientGone(): Drain
}

/** Bounds of reading on after the client has left. Both zero: cancel at once. */
export type Drain = {
  readonly ms: number
  readonly bytes: number
  /** A bound of the exchange's own, asked after each `data`: true ends the drain. Must not throw. */
  readonly exceeded?: () => boolean
}

/** What reaches the client. Every method is harmless once the client is gone. */
export type Sink = {
  /** Queued while a barrier is pending. */
  write(chunk: Buffer): void
  /** Whatever is written or ended after this call waits for `until`. When `until` rejects, the client's connection is reset. */
  barrier(until: Promise<void>): void
  /** The reply is whole. A client that leaves after it has been flushed is not reported. */
  end(): void
  /** A whole reply, in place of the upstream's. Only while nothing of a reply has been written. */
  reply(reply: Reply): void
  /** Breaks the client's connection, so that the reply cannot be taken for a whole one. */
  reset(): void
  /** Whether a byte of the reply's head has been handed to the kernel. */
  readonly headSent: boolean
}

export type FailureKind =
  /** `ready` rejected: the upstream saw nothing. */
  | 'not_admitted'
  /** No connection: refused, unresolved, TLS. The upstream saw nothing. */
  | 'connect'
  | 'connect_timeout'
  /** All connections to the upstream are in use, and too many wait for one, or this one has waited too long. The upstream saw nothing. */
  | 'busy'
  /** The connection broke after the request went out, before a head came. */
  | 'reset'
  | 'head_timeout'
  /** The upstream's bytes were not HTTP. */
  | 'protocol'
  /** The body broke off. */
  | 'reply_reset'
  | 'idle_timeout'
  /** The client had left, and the drain hit its bounds or the upstream failed meanwhile. */
  | 'drain_exceeded'
  /** The relay is closing and its grace is over. */
  | 'shutdown'

export type Failure = {
  readonly kind: FailureKind
  readonly cause: unknown
  /** Whether the upstream has been given the whole request. False: it cannot have begun to work on it. */
  readonly sent: boolean
}

/** What the relay refuses by itself, before anybody sees the request. */
export type Refusal =
  | 'bad_request'
  | 'headers_too_large'
  | 'body_too_large'
  | 'request_timeout'
  | 'overloaded'
  | 'too_many_connections'
  | 'unsupported'
  | 'websocket'

/** A socket that is bound already, maybe shared with other processes: none of them takes it away from the others by closing it. */
export type BoundSocket = { readonly fd: number }

export type RelayOptions = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** Listened on instead of host and port. */
  readonly sockets?: readonly BoundSocket[]
  /** Called once for each request whose head is whole. Must not throw, must not wait. */
  readonly onRequest: (head: RequestHead) => Verdict
  /** The reply to what the relay refuses by itself; the connection is closed after it. */
  readonly refuse: (refusal: Refusal) => Reply
  /** Connections of clients at once. Default 16,384; more is 503 with Retry-After, and far more is a reset. */
  readonly connectionsMax?: number
  /** Of them, from one address. Default: as many. */
  readonly peerConnectionsMax?: number
  /** Bytes of a request's head. Default 16 KiB; more is 431. */
  readonly headerBytesMax?: number
  /** Bytes of all request bodies that are held at once. Default 256 MiB; more is 503 with Retry-After. */
  readonly bodyBytesHeldMax?: number
  /** From the first byte of a head to its end. Default 10 s (slow loris). */
  readonly headTimeoutMs?: number
  /** From the end of the head to the end of the body. Default 5 min. */
  readonly bodyTimeoutMs?: number
  /** How long a body may take before it must keep up with `bodyRateMin`. Default 20 s. */
  readonly bodyGraceMs?: number
  /** Bytes a second that a body must come with, on average, after that. Default 512 (slow loris). */
  readonly bodyRateMin?: number
  /** Of a connection without a request. Default 10 min. */
  readonly keepAliveTimeoutMs?: number
  /** A client that takes not one byte for this long, while there are bytes for it, is reset and counts as gone. Default 10 min. */
  readonly clientStallTimeoutMs?: number
}

export type Relay = {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string
  /** Admitted requests that have not ended. */
  readonly open: number
  /** Numbers of the sockets that it listens on, to be handed to another process; none: this platform does not say. */
  readonly fds: readonly number[]
  /** Listens on one more socket. Rejects with `RELAY_LISTEN`. */
  listen(socket: BoundSocket): Promise<void>
  /**
   * Accepts no more connections, and cuts none: each may bring a request for 15 s more, whose reply says that it was the last. Resolves when
   * no connection is left; `close` ends it before. For when somebody else accepts on the same sockets.
   */
  retire(): Promise<void>
  /**
   * Stops accepting, waits up to `graceMs` for open requests, then fails the rest with `shutdown` and waits until their
   * barriers are done. `abort` cuts the grace short. Idempotent.
   */
  close(options: { readonly graceMs: number; readonly abort?: AbortSignal }): Promise<void>
}
