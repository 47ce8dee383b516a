import { bearerToken } from '@ascribe/identity'

/** What a client proves itself with. `repeated`: there are several, and nobody can say which one counts behind us. */
export type Credential = { readonly kind: 'token'; readonly token: string } | { readonly kind: 'none' } | { readonly kind: 'repeated' }

/**
 * The one credential of a request: `Authorization: Bearer`, as OpenAI's clients send it, or `x-api-key`, as Anthropic's do. Both at once
 * have to be the same.
 */
export function readCredential(rawHeaders: readonly string[]): Credential {
  let bearer: string | undefined
  let apiKey: string | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = (rawHeaders[index + 1] ?? '').trim()
    if (name === 'authorization') {
      if (bearer !== undefined) return { kind: 'repeated' }
      bearer = value
    } else if (name === 'x-api-key') {
      if (apiKey !== undefined) return { kind: 'repeated' }
      apiKey = value
    }
  }
  const token = bearer === undefined || bearer === '' ? undefined : bearerToken(bearer)
  // Something else than a bearer token is not passed over for the sake of a key beside it.
  if (bearer !== undefined && bearer !== '' && token === undefined) return { kind: 'none' }
  const key = apiKey === '' ? undefined : apiKey
  if (token !== undefined && key !== undefined && token !== key) return { kind: 'repeated' }
  const found = token ?? key
  return found === undefined ? { kind: 'none' } : { kind: 'token', token: found }
}
