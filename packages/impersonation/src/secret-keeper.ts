import { SECRET_CHECK_MS } from './client-secret.ts'
import type { ClientSecret, ClientSecretSource } from './client-secret.ts'
import type { TokenClock } from './clock.ts'
import { ClientSecretError, ImpersonationError } from './errors.ts'

/** The secret in force, and who wants to know when it is another one. */
export type SecretKeeper = {
  /** `undefined` until it was first read. */
  readonly current: ClientSecret | undefined
  /** Reads it again; two at once read once. The one in force stays when it cannot be read. @throws {ClientSecretError} when there is none */
  read(): Promise<ClientSecret>
  /** Reads it in the background when that was long ago. */
  readSoon(): void
}

export type SecretKeeperOptions = {
  readonly source: ClientSecretSource
  readonly clock: TokenClock
  /** A secret of another version is in force. Not called for the first one. */
  readonly onRotated: () => void
  readonly onUnreadable: (error: ImpersonationError) => void
}

export function createSecretKeeper({ source, clock, onRotated, onUnreadable }: SecretKeeperOptions): SecretKeeper {
  let current: ClientSecret | undefined
  let reading: Promise<ClientSecret> | undefined
  let readAt = -Infinity

  async function readNow(): Promise<ClientSecret> {
    try {
      const next = await source()
      if (typeof next.version !== 'string' || next.version === '')
        throw new ClientSecretError('Cannot use the client secret: it names no version')
      const isRotated = current !== undefined && current.version !== next.version
      current = next
      if (isRotated) onRotated()
    } catch (cause) {
      const error =
        cause instanceof ImpersonationError ? cause : new ClientSecretError('Cannot read the client secret: its source failed', cause)
      onUnreadable(error)
      if (current === undefined) throw error
    }
    return current
  }

  function read(): Promise<ClientSecret> {
    if (reading !== undefined) return reading
    readAt = clock.monotonicMs()
    const started = readNow().finally(() => {
      reading = undefined
    })
    reading = started
    return started
  }
  return {
    get current() {
      return current
    },
    read,
    readSoon() {
      if (reading !== undefined || clock.monotonicMs() - readAt < SECRET_CHECK_MS) return
      // What went wrong was told to onUnreadable; the secret in force is still there.
      read().catch(() => {})
    },
  }
}
