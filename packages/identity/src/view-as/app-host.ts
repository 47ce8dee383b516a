import { parseOrganization32 } from './organization32.ts'

/** What the host name of an environment's app says. */
export type AppHost = {
  /** `legacy`: `{provider}-{region}-{org}-{ordinal}`; `mz`: the same after `mz-`. */
  readonly form: 'legacy' | 'mz'
  readonly provider: string
  readonly region: string
  readonly organizationId: string
  readonly ordinal: number
}

/** Of one part of a host name (RFC 1035 section 2.3.4). */
const LABEL_LENGTH_MAX = 63
/** DNS-1035: begins with a letter, ends with a letter or digit. */
const LABEL = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/
const PROVIDER = /^[a-z][a-z0-9]*$/
const REGION = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
const ORDINAL = /^(?:0|[1-9][0-9]{0,5})$/

/**
 * Reads the host name (without a port) of an environment's app under one of `suffixes` (`.materialize.teleport.sh`). The whole name has
 * to fit (R1), in one of the two forms that there are (R8), with the organization in its one canonical form (R9); else `undefined`.
 */
export function parseAppHost(host: string, suffixes: readonly string[]): AppHost | undefined {
  const suffix = suffixes.find((each) => host.endsWith(each) && each.startsWith('.'))
  if (suffix === undefined) return undefined
  const label = host.slice(0, -suffix.length)
  if (label.length > LABEL_LENGTH_MAX || !LABEL.test(label)) return undefined
  const parts = label.split('-')
  const form = parts[0] === 'mz' ? 'mz' : 'legacy'
  const [provider = '', ...rest] = form === 'mz' ? parts.slice(1) : parts
  const ordinal = rest.pop() ?? ''
  const organizationId = parseOrganization32(rest.pop() ?? '')
  const region = rest.join('-')
  if (organizationId === undefined || !PROVIDER.test(provider) || !REGION.test(region) || !ORDINAL.test(ordinal)) return undefined
  return { form, provider, region, organizationId, ordinal: Number(ordinal) }
}
