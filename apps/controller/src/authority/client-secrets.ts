import { ClientSecretError, SealedText } from '@ascribe/impersonation'
import type { ClientSecret } from '@ascribe/impersonation'
import { SECRETS, isKubeError } from '@ascribe/kube'
import type { KubeClient } from '@ascribe/kube'

/** Keys of an Impersonator's Secret. */
const ID_KEY = 'client-id'
const SECRET_KEY = 'client-secret'

export type ClientCredentials = { readonly clientId: string; readonly secret: ClientSecret }

/**
 * Reads an Impersonator's Secret by `get` of exactly its name: never a list, never a watch (H-19).
 * @throws {ClientSecretError} that names the Secret and never a value
 */
export async function readCredentials(
  kube: Pick<KubeClient, 'get'>,
  ref: { readonly name: string; readonly namespace: string },
): Promise<ClientCredentials> {
  const place = `Secret ${ref.namespace}/${ref.name}`
  let data: Readonly<Record<string, string>>
  try {
    data = (await kube.get(SECRETS, ref, { deadlineMs: 10_000 })).data ?? {}
  } catch (cause) {
    if (isKubeError(cause, 'NotFound')) throw new ClientSecretError(`Cannot read the client secret: ${place} does not exist`)
    if (isKubeError(cause, 'Forbidden')) throw new ClientSecretError(`Cannot read the client secret: there is no right to get ${place}`)
    throw new ClientSecretError(`Cannot read the client secret: ${place} cannot be read now`, cause)
  }
  const clientId = textOf(data[ID_KEY])
  const secret = textOf(data[SECRET_KEY])
  if (clientId === '' || secret === '') {
    const missing = [...(clientId === '' ? [ID_KEY] : []), ...(secret === '' ? [SECRET_KEY] : [])].join(' and ')
    throw new ClientSecretError(`Cannot read the client secret: ${place} lacks ${missing}`)
  }
  const value = new SealedText(secret)
  return { clientId, secret: Object.freeze({ value, version: value.digest() }) }
}

function textOf(base64: string | undefined): string {
  return base64 === undefined ? '' : Buffer.from(base64, 'base64').toString('utf8').trim()
}
