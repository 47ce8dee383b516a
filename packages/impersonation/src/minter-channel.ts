import { createHttpTransport } from './http-transport.ts'
import type { HttpTransport } from './http-transport.ts'
import { TransportError } from './wire.ts'
import type { WireResponse } from './wire.ts'

/** Name in the certificate of a minter, whatever address it has: what is believed is exactly that certificate. */
export const MINTER_NAME = 'ascribe-minter'

export type MinterChannelOptions =
  | {
      /** `https://host:port`. */
      readonly url: string
      /** The certificate to believe, PEM. Asked for at the first request, and again when the one at hand is not believed any more. */
      readonly ca: () => Promise<string>
      /** What this program shows to be known by; asked for each request, because it is rotated. */
      readonly bearer: () => Promise<string>
    }
  /** Path of a socket that only its owner may open: the file says who asks. */
  | { readonly socketPath: string }

/** The way to the process that mints. */
export type MinterChannel = Disposable & {
  /** For metrics and messages. */
  readonly place: string
  /** One request. Rejects with a {@link TransportError} when there is no whole answer, and with the signal's reason when that is why. */
  post(path: string, body: object, signal: AbortSignal): Promise<WireResponse>
}

/** Opens nothing yet; connections are held until it is closed. */
export function createMinterChannel(options: MinterChannelOptions): MinterChannel {
  return 'socketPath' in options ? socketChannel(options.socketPath) : secureChannel(options)
}

const JSON_BODY = { 'content-type': 'application/json' }

function socketChannel(socketPath: string): MinterChannel {
  const transport = createHttpTransport({ socketPath, connectionsMax: CONNECTIONS_MAX })
  return {
    place: socketPath,
    post: (path, body, signal) =>
      transport({ method: 'POST', url: new URL(path, 'http://localhost'), headers: JSON_BODY, body: JSON.stringify(body), signal }),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  }
}

const CONNECTIONS_MAX = 32

type Believed = { readonly transport: HttpTransport }

function secureChannel({ url, ca, bearer }: Extract<MinterChannelOptions, { url: string }>): MinterChannel {
  const root = new URL(url)
  let believed: Promise<Believed> | undefined
  /** One for each certificate that was ever believed: to end one in use would break what others have under way. */
  const opened = new Map<string, HttpTransport>()
  let isClosed = false

  /** What is read once serves all who ask, until it is refused or could not be read. */
  function believe(refused?: Promise<Believed>): Promise<Believed> {
    if (believed !== undefined && believed !== refused) return believed
    const fresh = read()
    believed = fresh
    fresh.catch(() => {
      if (believed === fresh) believed = undefined
    })
    return fresh
  }

  async function read(): Promise<Believed> {
    try {
      const text = await ca()
      if (isClosed) throw new TransportError('CLOSED')
      const transport = opened.get(text) ?? createHttpTransport({ ca: text, servername: MINTER_NAME, connectionsMax: CONNECTIONS_MAX })
      opened.set(text, transport)
      return { transport }
    } catch (cause) {
      throw cause instanceof TransportError ? cause : new TransportError('CERT_UNREADABLE', { cause })
    }
  }

  return {
    place: root.host,
    async post(path, body, signal) {
      const first = believe()
      const send = async ({ transport }: Believed): Promise<WireResponse> =>
        transport({
          method: 'POST',
          url: new URL(path, root),
          headers: { ...JSON_BODY, authorization: `Bearer ${await bearer()}` },
          body: JSON.stringify(body),
          signal,
        })
      try {
        return await send(await first)
      } catch (cause) {
        // A minter that was started again has another certificate. Nothing was sent: the handshake failed.
        if (!(cause instanceof TransportError) || cause.what === 'CERT_UNREADABLE' || !/CERT|SIGNATURE|ISSUER|TLS|SSL/.test(cause.what))
          throw cause
        return send(await believe(first))
      }
    },
    [Symbol.dispose]() {
      isClosed = true
      for (const transport of opened.values()) transport[Symbol.dispose]()
    },
  }
}
