import { open, stat } from 'node:fs/promises'
import { errorCode } from '@ascribe/kit'
import { ClientSecretError } from './errors.ts'
import { SealedText } from './sealed-text.ts'

/** The secret of our client, and a name for this very value: whatever was minted with another version is not used any more. */
export type ClientSecret = { readonly value: SealedText; readonly version: string }

/** Gives the secret as it is now. Asked before each service-account token, every {@link SECRET_CHECK_MS} while in use, and after a 401. */
export type ClientSecretSource = () => Promise<ClientSecret>

export const SECRET_CHECK_MS = 10_000
const SECRET_BYTES_MAX = 8 * 1024

/** Reads a mounted file, and again when it has changed: a Kubernetes Secret is swapped below a link. One line break at its end is dropped. */
export function fileSecret(path: string): ClientSecretSource {
  let last: { readonly stamp: string; readonly secret: ClientSecret } | undefined
  return async () => {
    try {
      const { ino, size, mtimeNs } = await stat(path, { bigint: true })
      const stamp = `${ino} ${size} ${mtimeNs}`
      if (last?.stamp === stamp) return last.secret
      const secret = fixedSecret(await readBounded(path))
      last = { stamp, secret }
      return secret
    } catch (cause) {
      if (cause instanceof ClientSecretError) throw cause
      throw new ClientSecretError(`Cannot read the client secret from ${path}: ${errorCode(cause) ?? 'it failed'}`)
    }
  }
}

/** A secret that came otherwise, such as from an environment variable; it stays as it is while the process lives. */
export function constantSecret(text: string): ClientSecretSource {
  const secret = fixedSecret(text)
  return () => Promise.resolve(secret)
}

function fixedSecret(text: string): ClientSecret {
  const trimmed = text.replace(/\r?\n$/, '')
  if (trimmed === '') throw new ClientSecretError('Cannot use the client secret: it is empty')
  const value = new SealedText(trimmed)
  return Object.freeze({ value, version: value.digest() })
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path)
  const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
  if (bytesRead > SECRET_BYTES_MAX)
    throw new ClientSecretError(`Cannot read the client secret from ${path}: it has more than ${SECRET_BYTES_MAX} bytes`)
  const text = bytes.toString('utf8', 0, bytesRead)
  bytes.fill(0)
  return text
}
