import { errorChain } from '@ascribe/kit'
import type { Issuer, RegionEndpoint, Transport, WireResponse } from '@ascribe/impersonation'

/** What a peer says of itself without any credentials: nothing secret is sent. */
export type PeerLook = {
  readonly status: number | undefined
  /** How far its clock is ahead of ours, by the `Date` of its answer; half a second more or less. */
  readonly clockAheadMs: number | undefined
  /** Why there was no answer. */
  readonly fault: string | undefined
}

/** `calls itself`: the `issuer` of its discovery document. */
export type IssuerLook = PeerLook & { readonly callsItself: string | undefined }

const TIMEOUT_MS = 5000
/** An issuer's name is short; a page of another server is none. */
const NAME_LENGTH_MAX = 300

/** Reads the discovery document of the authorization server. */
export async function lookAtIssuer(issuer: Issuer, transport: Transport): Promise<IssuerLook> {
  const { look, response } = await get(new URL(`${issuer.href}/.well-known/openid-configuration`), transport)
  return { ...look, callsItself: response?.status === 200 ? issuerIn(response.body) : undefined }
}

/** Asks the cloud who we are, without saying so: 401 is the answer of an API that is there. */
export async function lookAtEndpoint(endpoint: RegionEndpoint, transport: Transport): Promise<PeerLook> {
  return (await get(new URL('profile/', endpoint.apiUrl), transport)).look
}

async function get(url: URL, transport: Transport): Promise<{ look: PeerLook; response: WireResponse | undefined }> {
  const sentAt = Date.now()
  try {
    const response = await transport({ method: 'GET', url, headers: {}, body: '', signal: AbortSignal.timeout(TIMEOUT_MS) })
    return { look: { status: response.status, clockAheadMs: clockAheadOf(response, sentAt), fault: undefined }, response }
  } catch (error) {
    return { look: { status: undefined, clockAheadMs: undefined, fault: errorChain(error) }, response: undefined }
  }
}

/** `Date` is in whole seconds, cut off: half a second is added, and half of the way taken off. */
function clockAheadOf({ headers }: WireResponse, sentAt: number): number | undefined {
  const date = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) ? undefined : Math.round(date + 500 - (sentAt + Date.now()) / 2)
}

function issuerIn(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed !== 'object' || parsed === null || !('issuer' in parsed) || typeof parsed.issuer !== 'string') return undefined
    return parsed.issuer.length <= NAME_LENGTH_MAX ? parsed.issuer : undefined
  } catch {
    return undefined
  }
}

/** Off by this much, tokens of a minute are dead on arrival or not valid yet at the other side. */
const CLOCK_OFF_MS = 10_000

/** Words for a clock that is off; `undefined` for one that is right. */
export function sayClock(who: string, clockAheadMs: number | undefined): string | undefined {
  if (clockAheadMs === undefined || Math.abs(clockAheadMs) < CLOCK_OFF_MS) return undefined
  const seconds = Math.round(Math.abs(clockAheadMs) / 1000)
  return `the clock of ${who} is ${seconds} s ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
}
