/** One request to the API server. */
export type KubeRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute path, without query, already encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  /** Of the body; default `application/json`. */
  readonly contentType?: string
  /** `get CloudSigmaMachine a/b`: what an error calls it ("Cannot get …"). */
  readonly operation: string
  readonly signal?: AbortSignal
  /** For all of it, body included. Default 30 s, at most 10 min. */
  readonly deadlineMs?: number
}

/** A whole answer with a status of 200 to 299. */
export type KubeAnswer = { readonly status: number; readonly body: unknown }

/** An answer that is read while it comes: a watch. Ends when the server ends it; throws `KubeError` when it breaks or falls silent. */
export type KubeStream = AsyncDisposable & { readonly lines: AsyncIterable<string> }

export type StreamRequest = Pick<KubeRequest, 'path' | 'query' | 'operation' | 'signal'> & {
  /** To the head of the answer. Default 30 s. */
  readonly headMs?: number
  /** Nothing came for so long: the connection is taken for dead. */
  readonly silenceMs: number
}

/** The way to one API server: address, TLS and authentication. Everything is sent through here. */
export type KubeConnection = AsyncDisposable & {
  /** Origin of the server. Holds no credentials. */
  readonly server: string
  /** Of the kubeconfig's context, or of our service account; else `default`. */
  readonly namespace: string
  /** @throws {KubeError} when there is no answer of 200 to 299. */
  send(request: KubeRequest): Promise<KubeAnswer>
  /** @throws {KubeError} when the head is no 200. */
  stream(request: StreamRequest): Promise<KubeStream>
}
