import type { AccessLogLine } from '@ascribe/contract/writes'
import { formatMonth, formatRange, parseDay } from '../../format/dates.ts'

/*
 * What a line of the log says, for who does not know our API. What is not known here is shown as it stands: a log that hides what it has no word for
 * is none.
 */

const ORGANIZATION = /^\/v1\/organizations\/[^/]+/

/** Paths below the organization, and what is behind each. The first that fits. */
const READS: readonly (readonly [RegExp, string])[] = [
  [/^$/, 'Organization'],
  [/^\/costs$/, 'Costs'],
  [/^\/usage$/, 'Usage'],
  [/^\/freshness$/, 'How new the data are'],
  [/^\/catalogues\/apiKey$/, 'Names of API keys'],
  [/^\/catalogues\/(\w+)$/, 'Names of $1s'],
  [/^\/charges\/[^/]+\/records$/, 'Usage records of a charge'],
  [/^\/charges(\/[^/]+)?$/, 'Charges'],
  [/^\/records\/[^/]+$/, 'A usage record'],
  [/^\/(usage-)?records$/, 'Usage records'],
  [/^\/exports\/charges$/, 'Export of charges'],
  [/^\/statements?$/, 'Statement'],
  [/^\/invoices$/, 'Invoices'],
  [/^\/invoices\/([^/]+)/, 'Invoice $1'],
  [/^\/credits$/, 'Credits'],
  [/^\/budgets$/, 'Budgets'],
  [/^\/credentials$/, 'API keys'],
  [/^\/members$/, 'Members'],
  [/^\/models$/, 'Names of models'],
  [/^\/groups$/, 'Groups'],
  [/^\/resources$/, 'Resources'],
  [/^\/machines(\/[^/]+)?$/, 'Virtual machines'],
  [/^\/access-log$/, 'Access log'],
  [/^\/access-log\/verification$/, 'Check of the access log'],
  [/^\/access-log\/export$/, 'Export of the access log'],
  [/^\/support-access/, 'Support access'],
]
const OTHER_READS: readonly (readonly [RegExp, string])[] = [
  [/^\/v1\/acting-session$/, 'Time left of the visit'],
  [/^\/api\/costs\//, 'Costs by day'],
  [/^\/api\/credits$/, 'Credits'],
  [/^\/api\/invoices$/, 'Invoices'],
  [/^\/api\/organization$/, 'Organization'],
  [/^\/api\/cloud-regions$/, 'Regions'],
]

/** What was opened: "Costs, 1 – 31 Oct 2026 (UTC), by model". */
export function openedText({ path = '', query = '' }: Pick<AccessLogLine, 'path' | 'query'>): string {
  const parts = [whatIs(path)]
  const search = new URLSearchParams(query)
  const [from, to] = [search.get('from') ?? search.get('startDate'), search.get('to') ?? search.get('endDate')]
  if (from !== null && to !== null && parseDay(from) !== undefined && parseDay(to) !== undefined) parts.push(formatRange(from, to))
  const month = search.get('month')
  if (month !== null && /^\d{4}-\d\d$/.test(month)) parts.push(formatMonth(month))
  const by = search.getAll('groupBy').filter((each) => each !== '')
  if (by.length > 0) parts.push(`by ${by.join(', ')}`)
  return parts.join(', ')
}

function whatIs(path: string): string {
  const below = path.replace(ORGANIZATION, '')
  const [table, text] = below === path ? [OTHER_READS, path] : [READS, below]
  for (const [pattern, words] of table) {
    const found = pattern.exec(text)
    if (found !== null) return words.replace('$1', found[1] ?? '')
  }
  return path === '' ? 'Something' : path
}

const CHANGES: readonly (readonly [method: string, RegExp, string])[] = [
  ['POST', /^\/credentials$/, 'created an API key'],
  ['POST', /^\/credentials\/([^/]+)\/rotate$/, 'rotated the API key $1'],
  ['DELETE', /^\/credentials\/([^/]+)$/, 'revoked the API key $1'],
  ['PUT', /^\/budgets$/, 'set a budget'],
  ['POST', /^\/budgets\/[^/]+\/webhook-secret$/, 'made a signing secret for a budget’s webhook'],
  ['DELETE', /^\/budgets\/[^/]+$/, 'ended a budget'],
  ['PUT', /^\/support-access$/, 'changed support access'],
  ['PUT', /^\/support-access\/window$/, 'opened a window for support'],
  ['DELETE', /^\/support-access\/window$/, 'closed the window for support'],
  ['POST', /^\/support-access\/requests\/[^/]+\/(approve)$/, 'approved a request of support'],
  ['POST', /^\/support-access\/requests\/[^/]+\/(refuse)$/, 'refused a request of support'],
  ['POST', /^\/support-access\/requests\/[^/]+\/(revoke)$/, 'took an approval of support back'],
]

const VERBS: Readonly<Record<string, string>> = {
  clone_drive: 'copied a drive',
  create_server: 'created a virtual machine',
  update_server: 'changed a virtual machine',
  start: 'started a virtual machine',
  stop: 'stopped a virtual machine',
  shutdown: 'shut a virtual machine down',
  delete_server: 'deleted a virtual machine',
  delete_drive: 'deleted a drive',
  resize_drive: 'resized a drive',
  attach_drive: 'attached a drive',
  detach_drive: 'detached a drive',
  tag: 'tagged a virtual machine',
  adopt_server: 'took over a virtual machine',
  abandon: 'let go of a virtual machine',
}

/** What was done, after who did it: "created an API key". */
export function doneText(line: AccessLogLine): string {
  const { kind, method = '', path = '', detail = {} } = line
  switch (kind) {
    case 'read':
    case 'stream_end':
      return `opened ${openedText(line)}`
    case 'write':
    case 'write_end':
    case 'support':
      return changeText(method, path, detail)
    case 'session':
      return sessionText(detail)
    case 'refusal':
      return `was refused: ${method === 'GET' || method === '' ? '' : `${method} `}${openedText(line)}`
    case 'act':
      return actText(detail)
    case 'mint':
      return `obtained ${countText(detail['minted'])} to act as ${wordsOf(detail['owner']) || 'an owner'}${refusedText(detail['refused'])}`
    case 'admin':
      return `changed something with the tools of the installation${noted(detail)}`
    case 'erasure':
      return 'erased personal fields of this log'
    case 'key':
      return 'named the key that signs this log'
    default:
      return `${kind}${noted(detail)}`
  }
}

function changeText(method: string, path: string, detail: Readonly<Record<string, unknown>>): string {
  const below = path.replace(ORGANIZATION, '')
  for (const [verb, pattern, words] of CHANGES) {
    const found = verb === method ? pattern.exec(below) : null
    if (found !== null) return words.replace('$1', found[1] ?? '') + policyText(detail)
  }
  return `${method} ${path}`.trim() + noted(detail)
}

function policyText({ requireApproval }: Readonly<Record<string, unknown>>): string {
  if (typeof requireApproval !== 'boolean') return ''
  return requireApproval ? ': support has to ask first' : ': support need not ask'
}

function sessionText({ outcome, minutes }: Readonly<Record<string, unknown>>): string {
  const length = typeof minutes === 'number' ? ` for ${minutes} minutes` : ''
  switch (outcome) {
    case 'started':
    case 'created':
      return `began to view as you${length}`
    case 'ended':
      return 'stopped viewing'
    case 'approval_required':
      return 'asked to view as you, and waits for your approval'
    default:
      return `asked to view as you: ${(wordsOf(outcome) || 'no answer').replaceAll('_', ' ')}`
  }
}

/** "acted as {owner}: created VM {name}". */
function actText(detail: Readonly<Record<string, unknown>>): string {
  const verb = wordsOf(detail['verb'])
  const object = detail['object']
  const outcome = detail['outcome']
  const what = VERBS[verb] ?? verb.replaceAll('_', ' ')
  const isDone = outcome === undefined || outcome === 'done'
  return `${what}${typeof object === 'string' ? `, for ${object}` : ''}${isDone ? '' : ` (${wordsOf(outcome).replaceAll('_', ' ')})`}`
}

function countText(minted: unknown): string {
  return typeof minted === 'number' ? `${minted} ${minted === 1 ? 'token' : 'tokens'} in a day` : 'tokens'
}

function refusedText(refused: unknown): string {
  return typeof refused === 'number' && refused > 0 ? `; ${refused} refused` : ''
}

/** A value of the detail as text; empty: there is none. */
function wordsOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

/** Names and values as they were noted. */
function noted(detail: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(detail).map(([name, value]) => `${name} ${wordsOf(value)}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** Who did it. Erased: nobody can tell any more. */
export function actorText({ actor }: Pick<AccessLogLine, 'actor'>): string {
  const { kind, name, email, id } = actor
  const who = name ?? email ?? id
  if (who === undefined) return 'somebody whose name was erased'
  switch (kind) {
    case 'key':
      return `API key ${who}`
    // What acts in owners' names calls itself as its pod is called.
    case 'system':
      return who === 'ascribe' ? who : `the controller ${who}`
    case 'platform':
      return `the platform (${who})`
    default:
      return who
  }
}
