import { isUuid } from '@ascribe/units'
import { invalid, nothingThere } from './refusals.ts'
import type { BrokerProfile } from './types.ts'

/** What may be asked, of the API's own paths. There is nothing else. */
export type Operation =
  | { readonly do: 'list-servers' | 'list-volumes' | 'create-volume' }
  | { readonly do: 'get-server' | 'change-drives' | 'get-volume' | 'delete-volume' | 'resize-volume'; readonly uuid: string }

export type Route = { readonly namespace: string; readonly cluster: string; readonly operation: Operation; readonly query: URLSearchParams }

type Row = {
  readonly method: string
  readonly path: RegExp
  /** `do=` of an action. */
  readonly action?: string
  readonly operation: Operation['do']
  readonly profiles: readonly BrokerProfile[]
}

const BOTH: readonly BrokerProfile[] = ['cloud-controller', 'storage']
const STORAGE: readonly BrokerProfile[] = ['storage']

/** The allow-list. A program that asks for more gets 404. */
const ROWS: readonly Row[] = [
  { method: 'GET', path: /^servers\/(?:detail\/)?$/, operation: 'list-servers', profiles: BOTH },
  { method: 'GET', path: /^servers\/([^/]+)\/$/, operation: 'get-server', profiles: BOTH },
  { method: 'PUT', path: /^servers\/([^/]+)\/$/, operation: 'change-drives', profiles: STORAGE },
  { method: 'GET', path: /^drives\/(?:detail\/)?$/, operation: 'list-volumes', profiles: STORAGE },
  { method: 'POST', path: /^drives\/$/, operation: 'create-volume', profiles: STORAGE },
  { method: 'GET', path: /^drives\/([^/]+)\/$/, operation: 'get-volume', profiles: STORAGE },
  { method: 'DELETE', path: /^drives\/([^/]+)\/$/, operation: 'delete-volume', profiles: STORAGE },
  { method: 'POST', path: /^drives\/([^/]+)\/action\/$/, action: 'resize', operation: 'resize-volume', profiles: STORAGE },
]

/** `/clusters/NAMESPACE/NAME/api/2.0/…`: everything after it is the API's. */
const PREFIX = /^\/clusters\/([a-z0-9.-]{1,253})\/([a-z0-9.-]{1,253})\/api\/2\.0\/(.*)$/
/** What a query may hold. Anything else might mean something to the cloud that nobody here thought of. */
const QUERY = new Set(['limit', 'offset', 'name', 'uuid', 'do', 'format'])

/** Where a request goes, before it is known who asks. @throws {BrokerRefusal} 404, 400 */
export function placeOf(url: string): Omit<Route, 'operation'> & { readonly rest: string } {
  const question = url.indexOf('?')
  const path = question < 0 ? url : url.slice(0, question)
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1))
  const [, namespace, cluster, rest] = PREFIX.exec(path) ?? []
  // No decoding: a path with an escape is none of ours.
  if (namespace === undefined || cluster === undefined || rest === undefined || rest.includes('%')) throw nothingThere()
  for (const name of query.keys())
    if (!QUERY.has(name)) throw invalid(`Cannot ask with ${JSON.stringify(name.slice(0, 40))}: allowed are ${[...QUERY].join(', ')}`)
  return { namespace, cluster, rest, query }
}

/** What is asked, if this program may ask it. @throws {BrokerRefusal} 404 */
export function operationOf(asked: {
  readonly method: string
  readonly rest: string
  readonly query: URLSearchParams
  readonly profile: BrokerProfile
}): Operation {
  const { method, query, profile } = asked
  const rest = asked.rest.endsWith('/') ? asked.rest : `${asked.rest}/`
  for (const { path, action, operation, profiles, method: wanted } of ROWS) {
    const found = path.exec(rest)
    if (found === null || wanted !== method || !profiles.includes(profile) || (query.get('do') ?? undefined) !== action) continue
    const [, uuid] = found
    if (operation === 'list-servers' || operation === 'list-volumes' || operation === 'create-volume') return { do: operation }
    if (uuid === undefined || !isUuid(uuid)) continue
    return { do: operation, uuid }
  }
  throw nothingThere()
}
