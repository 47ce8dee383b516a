import { operationUrl } from '@ascribe/contract/client'
import { login, redirect } from '@ascribe/contract/operations'
import { apiOrigin } from '../api/api.ts'
import type { ConsoleConfig } from '../config.ts'

/**
 * Where to sign in, and come back to this very page and state. Customers by the API's login; operators by Teleport, which stops whoever is
 * not signed in: the page itself where the API is of the same origin, else the API's way back to an allow-listed console.
 */
export function signInUrl(config: ConsoleConfig): string {
  const { origin, pathname, search } = location
  if (config.mode === 'customer') return operationUrl(apiOrigin(config), login, { query: { returnTo: `${pathname}${search}` } })
  // Without what stands after `#`, where the skip link leads: a link to that is followed without asking the server for anything.
  const href = `${origin}${pathname}${search}`
  if (config.apiBase === '') return href
  return operationUrl(apiOrigin(config), redirect, { query: { to: href } })
}
