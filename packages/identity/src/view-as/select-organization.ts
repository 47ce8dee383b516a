import { isUuid } from '@ascribe/units'
import { headerValues } from '../header-values.ts'

/** Where an operator's request may name its organization. */
export const ORGANIZATION_SOURCES = ['accept', 'vendor', 'header'] as const
/**
 * `accept`: the bare UUID as the value of `Accept`, the founding document's simple request; `vendor`: `Accept:
 * application/vnd.ascribe+json;org=UUID`; `header`: `X-Materialize-Organization-Id`.
 */
export type OrganizationSource = (typeof ORGANIZATION_SOURCES)[number]

export type SelectOptions = {
  /** Those that are switched on. One that is not, and names an organization, refuses the request: it was meant. */
  readonly organizationFrom: readonly OrganizationSource[]
  /** Organizations that the origin of the page, or the target of a redirect, stands for: they must agree. */
  readonly encoded?: readonly { readonly where: 'origin' | 'target'; readonly organizationId: string }[]
}

export type Selection =
  | { readonly kind: 'one'; readonly organizationId: string; readonly from: readonly OrganizationSource[] }
  /** The request names none. */
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: SelectionFault; readonly message: string }

export type SelectionFault = 'malformed' | 'repeated' | 'disagreement' | 'disabled'

/** An `Accept` that has to do with us; anything longer is not one. RFC 9110 gives no bound, and a parser needs one. */
const ACCEPT_LENGTH_MAX = 512
const MEDIA_TYPE = 'application/vnd.ascribe+json'
/** Something in an `Accept` that can only be meant to name an organization, however it is wrapped. */
const MEANT = /vnd\.ascribe|[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/i
/** RFC 9110 section 12.5.1, of one media range with one parameter: blanks around `;` only, the value a token or a quoted string. */
const VENDOR = /^application\/vnd\.ascribe\+json[ \t]*;[ \t]*org=(?:"([0-9a-f-]{36})"|([0-9a-f-]{36}))$/i
const BARE_VENDOR = new RegExp(`^${MEDIA_TYPE.replaceAll(/[.+/]/g, String.raw`\$&`)}$`, 'i')

type Found = { readonly source: OrganizationSource; readonly organizationId: string }
type Fault = Extract<Selection, { kind: 'refused' }>

/**
 * The one organization that a request is about (R15). It may be named in several ways at once, if all say the same; each way at most
 * once, in its exact form. Whatever looks as if it was meant to name one and does not is refused, never passed over: a request that was
 * about A must not be answered about nobody, or about B.
 */
export function selectOrganization(rawHeaders: readonly string[], options: SelectOptions): Selection {
  const { organizationFrom, encoded = [] } = options
  const found = [fromAccept(rawHeaders), fromHeader(rawHeaders)].filter((each) => each !== undefined)
  const fault = found.find((each): each is Fault => 'kind' in each)
  if (fault !== undefined) return fault
  const named = found.filter((each): each is Found => 'source' in each)
  const disabled = named.find(({ source }) => !organizationFrom.includes(source))
  if (disabled !== undefined) return refused('disabled', `Organizations cannot be named by ${NAMES[disabled.source]} here.`)
  const [first] = named
  if (first === undefined) return { kind: 'none' }
  const { organizationId } = first
  if (named.some((each) => each.organizationId !== organizationId))
    return refused('disagreement', 'The request names two organizations. Name one.')
  const other = encoded.find((each) => each.organizationId !== organizationId)
  if (other !== undefined) return refused('disagreement', `The request is about another organization than its ${other.where}.`)
  return { kind: 'one', organizationId, from: named.map(({ source }) => source) }
}

const NAMES: Readonly<Record<OrganizationSource, string>> = {
  accept: 'a bare Accept',
  vendor: `Accept: ${MEDIA_TYPE}`,
  header: 'X-Materialize-Organization-Id',
}

function fromAccept(rawHeaders: readonly string[]): Found | Fault | undefined {
  const values = headerValues(rawHeaders, 'accept')
  if (!values.some((value) => MEANT.test(value))) return undefined
  if (values.length > 1) return refused('repeated', 'Accept comes more than once. Send it once.')
  const [value = ''] = values
  if (value.length > ACCEPT_LENGTH_MAX) return refused('malformed', 'Accept is too long to name an organization.')
  const text = withoutBlanks(value)
  if (isUuid(text.toLowerCase())) return { source: 'accept', organizationId: text.toLowerCase() }
  const vendor = VENDOR.exec(text)
  const organizationId = (vendor?.[1] ?? vendor?.[2] ?? '').toLowerCase()
  if (isUuid(organizationId)) return { source: 'vendor', organizationId }
  // The type alone says in which form the reply is wanted, and nothing of whom.
  if (BARE_VENDOR.test(text)) return undefined
  return refused('malformed', `Accept names an organization in no form that is known. Send the UUID alone, or ${MEDIA_TYPE};org=UUID.`)
}

function fromHeader(rawHeaders: readonly string[]): Found | Fault | undefined {
  const values = headerValues(rawHeaders, 'x-materialize-organization-id')
  if (values.length === 0) return undefined
  if (values.length > 1) return refused('repeated', 'X-Materialize-Organization-Id comes more than once. Send it once.')
  const organizationId = withoutBlanks(values[0] ?? '').toLowerCase()
  if (!isUuid(organizationId)) return refused('malformed', 'X-Materialize-Organization-Id is not one UUID.')
  return { source: 'header', organizationId }
}

/** Optional white space of RFC 9110 section 5.6.3. `trim()` would take a no-break space as well. */
function withoutBlanks(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '')
}

function refused(reason: SelectionFault, message: string): Fault {
  return { kind: 'refused', reason, message }
}
