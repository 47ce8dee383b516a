import { InputError } from '@ascribe/kit'
import { isLoopbackHost } from '../loopback-url.ts'
import { parseOrganization32 } from './organization32.ts'

/** An origin that may use the API: one, or one for each organization. */
export type OriginPattern = {
  /** As it was configured. */
  readonly text: string
  /** Before and after the place of the organization; without one all of it stands in `head`. */
  readonly head: string
  readonly tail: string | undefined
}

/** An origin that a pattern allows, and the organization that it encodes. */
export type AllowedOrigin = { readonly origin: string; readonly organizationId?: string }

const PLACE = '{org32}'
/** Stands for the place while the rest is checked: a canonical organization, so that any check of host names passes. */
const SAMPLE = 'a'.repeat(26)
const LENGTH_MAX = 300
/** A URL's host may hold braces and stars as well. */
const HOST = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])$/

/**
 * Parses an entry of the allow-list: an origin as browsers write it, `https://console.example.com`, in whose host may stand `{org32}`
 * once, for a canonical base32 organization. Plain http only on loopback or under `localhost`. @throws {InputError}
 */
export function parseOriginPattern(text: string): OriginPattern {
  const [head = '', tail, ...more] = text.split(PLACE)
  const sample = tail === undefined ? head : `${head}${SAMPLE}${tail}`
  const url = URL.parse(sample)
  const fail = (why: string, hint: string): InputError =>
    new InputError(`Cannot allow the origin ${JSON.stringify(text)}: ${why}`, { hint })
  if (more.length > 0) throw fail(`it has ${PLACE} ${more.length + 1} times`, `Write ${PLACE} once.`)
  if (text.length > LENGTH_MAX || url === null || url.origin !== sample) {
    throw fail('it is not an origin', 'Write scheme and host in small letters, without a path: https://console.example.com')
  }
  if (tail !== undefined && !url.host.includes(SAMPLE)) throw fail(`${PLACE} is not in its host`, 'Put it into the host name.')
  if (!HOST.test(url.hostname))
    throw fail('its host has a wildcard, or a place that is not known', `List each origin; only ${PLACE} may vary.`)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname)))
    throw fail('plain http is for loopback only', 'Use https.')
  return { text, head, tail }
}

/** The pattern that `origin` fits as a whole, character by character, if there is one (R1, R9). */
export function matchOrigin(patterns: readonly OriginPattern[], origin: string): AllowedOrigin | undefined {
  for (const { head, tail } of patterns) {
    if (tail === undefined) {
      if (origin === head) return { origin }
      continue
    }
    if (origin.length !== head.length + SAMPLE.length + tail.length || !origin.startsWith(head) || !origin.endsWith(tail)) continue
    const organizationId = parseOrganization32(origin.slice(head.length, head.length + SAMPLE.length))
    if (organizationId !== undefined) return { origin, organizationId }
  }
  return undefined
}
