import { InputError } from '@ascribe/kit'

/** The ids that a request is for. */
export type Ids = { readonly model: string | undefined; readonly resource: string | undefined }

/** An address with places for ids, such as `http://{resource}.models.svc:8000/v1`. */
export type UpstreamTemplate = {
  /** The address for these ids; `undefined`: there is none, because an id is missing or is none that may stand there. Never throws. */
  addressOf(ids: Ids): { readonly origin: string; readonly basePath: string } | undefined
}

type Part = { readonly text: string } | { readonly id: keyof Ids }
type Label = readonly Part[]

const PLACEHOLDER = /\{([^{}]*)\}/g
const ADDRESS = /^(https?):\/\/([^/?#]*)(\/[^?#]*)?$/
const HOST_PORT = /^([^:[\]@]+)(?::(\d{1,5}))?$/
/** A label of a host name, RFC 1123 section 2.1. Lower case alone: hosts do not tell `A` from `a`, ids do. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const HOST_LENGTH_MAX = 253
const ID_LENGTH_MAX = 512
// Control characters; and what somebody has escaped by himself, for a server that unescapes twice.
// oxlint-disable-next-line no-control-regex -- they are what must not be there
const FOUL = /[\u0000-\u001f\u007f%]/

export function isTemplate(text: string): boolean {
  return text.includes('{') || text.includes('}')
}

/**
 * Reads an address with `{resource}` and `{model}` in its host or path. What an id can change is the text of one label or one segment: in a
 * host it must be (part of) a label as it is, and in a path it is escaped. @throws {InputError}
 */
export function parseTemplate(text: string): UpstreamTemplate {
  const refuse = (why: string): never => {
    throw new InputError(`Cannot use "${text.replace(/[^/]*@/, '…@')}" as an upstream: ${why}`, {
      hint: 'Write it like http://{resource}.models.internal:8000 or http://router.internal/{model}/v1.',
    })
  }
  const [, scheme = '', authority = '', path = ''] =
    ADDRESS.exec(text) ?? refuse('it is not an http or https URL without query and fragment')
  const [, host = '', port] = HOST_PORT.exec(authority) ?? refuse('its host is no name with at most a port')
  const labels = host.split('.').map((label) => partsOf(label, refuse))
  const segments = path
    .replace(/\/+$/, '')
    .split('/')
    .map((segment) => partsOf(segment, refuse))
  const last = labels.at(-1) ?? []
  // Else whoever names the id names the machine: localhost, or a domain of his own.
  if (last.some((part) => 'id' in part) && (labels.length > 1 || !last.some((part) => 'text' in part)))
    refuse('the last label of its host must not come from an id')
  if (!labels.some((label) => label.some((part) => 'text' in part))) refuse('its host must not come from ids alone')
  const addressOf: UpstreamTemplate['addressOf'] = (ids) => {
    const hostName = joined(labels, '.', (label) => labelOf(label, ids))
    const pathName = joined(segments, '/', (segment) => segmentOf(segment, ids))
    if (hostName === undefined || pathName === undefined || hostName.length > HOST_LENGTH_MAX) return undefined
    const url = URL.parse(`${scheme}://${hostName}${port === undefined ? '' : `:${port}`}${pathName}`)
    // What a URL makes of it must be what was meant: 2130706433 is a label, and an address of this machine.
    if (url === null || url.hostname !== hostName || (pathName !== '' && url.pathname !== pathName)) return undefined
    return { origin: url.origin, basePath: pathName.endsWith('/v1') ? pathName : `${pathName}/v1` }
  }
  if (addressOf({ model: 'a', resource: 'a' }) === undefined) refuse('it is no address even with plain ids')
  return { addressOf }
}

function partsOf(text: string, refuse: (why: string) => never): readonly Part[] {
  const parts: Part[] = []
  let at = 0
  for (const found of text.matchAll(PLACEHOLDER)) {
    const [whole, id] = found
    if (id !== 'model' && id !== 'resource') return refuse(`there is no ${whole}, only {resource} and {model}`)
    if (found.index > at) parts.push({ text: text.slice(at, found.index) })
    parts.push({ id })
    at = found.index + whole.length
  }
  if (at < text.length) parts.push({ text: text.slice(at) })
  // What one ends with the other may begin with: two pairs of ids would be one place.
  if (parts.filter((part) => 'id' in part).length > 1) return refuse('two ids stand side by side in it')
  if (parts.some((part) => 'text' in part && isTemplate(part.text))) return refuse('a brace is not closed, or not opened')
  return parts
}

function joined(parts: readonly Label[], separator: string, textOf: (part: Label) => string | undefined): string | undefined {
  const texts: string[] = []
  for (const part of parts) {
    const text = textOf(part)
    if (text === undefined) return undefined
    texts.push(text)
  }
  return texts.join(separator)
}

function labelOf(label: Label, ids: Ids): string | undefined {
  let text = ''
  for (const part of label) {
    const piece = 'text' in part ? part.text.toLowerCase() : ids[part.id]
    if (piece === undefined || ('id' in part && !LABEL.test(piece))) return undefined
    text += piece
  }
  return LABEL.test(text) ? text : undefined
}

function segmentOf(segment: Label, ids: Ids): string | undefined {
  let text = ''
  for (const part of segment) {
    const piece = 'text' in part ? part.text : escaped(ids[part.id])
    if (piece === undefined) return undefined
    text += piece
  }
  return isDots(text) ? undefined : text
}

/**
 * An id as text inside a segment; `undefined`: it cannot stand in a path. Slashes of names like `meta/llama` are escaped, and since there are
 * servers that unescape them all the same, no step of it may lead anywhere.
 */
function escaped(id: string | undefined): string | undefined {
  if (id === undefined || id === '' || id.length > ID_LENGTH_MAX || FOUL.test(id) || !id.isWellFormed()) return undefined
  const steps = id.split(/[/\\]/)
  return steps.some((step) => step === '' || isDots(step)) ? undefined : encodeURIComponent(id)
}

/** Also as a URL reads it: `%2e` is a dot. */
function isDots(text: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(text)
}
