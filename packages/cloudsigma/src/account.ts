import type { CallOptions, Transport } from './transport.ts'
import { booleanOf, fieldOf, moneyOf, numberOf, textOf } from './json.ts'
import { idOf, present } from './objects.ts'
import { readList } from './pages.ts'
import type { ListOptions } from './pages.ts'

/** Who the credentials are: compare it with whom they should be. */
export type Profile = {
  readonly uuid: string
  readonly email: string
  /** `REGULAR`, `TRIAL`, `SUSPENDED`, … */
  readonly state?: string
  readonly currency?: string
  readonly firstName?: string
  readonly lastName?: string
  readonly cloneNaming?: string
  readonly apiHttpsOnly?: boolean
}

/** Money is exact decimal text, never a float. */
export type Balance = { readonly balance: string; readonly currency?: string }

export type Subscription = {
  readonly id: string
  readonly resource?: string
  readonly status?: 'active' | 'inactive' | 'expired' | (string & {})
  /** In the unit of the resource, exact decimal text. */
  readonly amount?: string
  readonly price?: string
  readonly start?: string
  readonly end?: string
  readonly autoRenew?: boolean
  readonly subscribedObject?: string
}

export type ResourceUsage = { readonly using?: number; readonly subscribed?: number; readonly burst?: number }
export type CurrentUsage = { readonly balance?: Balance; readonly usage: Readonly<Record<string, ResourceUsage>> }

export type Location = {
  readonly id: string
  readonly displayName?: string
  readonly countryCode?: string
  /** For people to look at. Never a place to send a token to: that is the table of endpoints (3.1). */
  readonly apiEndpoint?: string
  readonly uploadUrl?: string
}

export type Range = { readonly min?: number; readonly max?: number }
export type Capabilities = {
  readonly cpuMhz: Range
  readonly smp: Range
  /** MHz of one core. */
  readonly cpuPerSmp: Range
  readonly memBytes: Range
  /** By storage type. */
  readonly driveBytes: Readonly<Record<string, Range>>
}

/** One line of the account's audit log. Its `details` hold VNC passwords and meta and are never read (3.10). */
export type LogEntry = {
  readonly uuid: string
  readonly action?: string
  readonly category?: string
  /** Who did it. */
  readonly actor?: string
  readonly isSuccess?: boolean
  readonly at?: string
}

export type SubscriptionFilter = { readonly status?: 'active' | 'inactive' | 'expired'; readonly resource?: string }

/** The account itself: everything here only reads. */
export type Account = {
  profile(options?: CallOptions): Promise<Profile>
  balance(options?: CallOptions): Promise<Balance>
  currentUsage(options?: CallOptions): Promise<CurrentUsage>
  subscriptions(filter?: SubscriptionFilter, options?: ListOptions): Promise<readonly Subscription[]>
  locations(options?: ListOptions): Promise<readonly Location[]>
  capabilities(options?: CallOptions): Promise<Capabilities>
  logs(options?: ListOptions): Promise<readonly LogEntry[]>
}

export function createAccount(transport: Transport): Account {
  const read = async <Value>(name: string, parse: (body: unknown) => Value | undefined, options?: CallOptions): Promise<Value> => {
    const call = { operation: `account.${name}`, method: 'GET', path: [name], isIdempotent: true, hasMoney: true } as const
    const answer = await transport.send(call, options)
    const value = parse(answer.body)
    if (value === undefined) throw transport.malformed(call, answer, 'it lacks what it must have')
    return value
  }
  return {
    profile: (options) => read('profile', profileOf, options),
    balance: (options) => read('balance', balanceOf, options),
    currentUsage: (options) => read('currentusage', currentUsageOf, options),
    capabilities: (options) => read('capabilities', capabilitiesOf, options),
    subscriptions: (filter = {}, options) =>
      readList(
        transport,
        {
          operation: 'account.subscriptions',
          path: ['subscriptions'],
          query: { ...filter },
          hasMoney: true,
          keyOf: idKeyOf,
          parse: subscriptionOf,
        },
        options,
      ),
    locations: (options) =>
      readList(transport, { operation: 'account.locations', path: ['locations'], keyOf: idKeyOf, parse: locationOf }, options),
    logs: (options) => readList(transport, { operation: 'account.logs', path: ['logs'], keyOf: uuidKeyOf, parse: logEntryOf }, options),
  }
}

const uuidKeyOf = (item: unknown): string | undefined => textOf(item, 'uuid')

function idKeyOf(item: unknown): string | undefined {
  const id = fieldOf(item, 'id') ?? fieldOf(item, 'uuid')
  return typeof id === 'number' || typeof id === 'string' ? String(id) : undefined
}

function profileOf(body: unknown): Profile | undefined {
  const uuid = textOf(body, 'uuid')
  const email = textOf(body, 'email')
  if (uuid === undefined || uuid === '' || email === undefined) return undefined
  return {
    uuid,
    email,
    ...present({
      state: textOf(body, 'state'),
      currency: textOf(body, 'currency'),
      firstName: textOf(body, 'first_name'),
      lastName: textOf(body, 'last_name'),
      cloneNaming: textOf(body, 'clone_naming'),
      apiHttpsOnly: booleanOf(body, 'api_https_only'),
    }),
  }
}

function balanceOf(body: unknown): Balance | undefined {
  const balance = moneyOf(body, 'balance')
  return balance === undefined ? undefined : { balance, ...present({ currency: textOf(body, 'currency') }) }
}

function currentUsageOf(body: unknown): CurrentUsage | undefined {
  const usage = fieldOf(body, 'usage')
  if (typeof usage !== 'object' || usage === null) return undefined
  const byResource = Object.entries(usage).map(([resource, each]: [string, unknown]) => [
    resource,
    present({ using: numberOf(each, 'using'), subscribed: numberOf(each, 'subscribed'), burst: numberOf(each, 'burst') }),
  ])
  return { ...present({ balance: balanceOf(fieldOf(body, 'balance')) }), usage: Object.fromEntries(byResource) }
}

function subscriptionOf(item: unknown): Subscription {
  return {
    id: idKeyOf(item) ?? '',
    ...present({
      resource: textOf(item, 'resource'),
      status: textOf(item, 'status'),
      amount: moneyOf(item, 'amount'),
      price: moneyOf(item, 'price'),
      start: textOf(item, 'start_time'),
      end: textOf(item, 'end_time'),
      autoRenew: booleanOf(item, 'auto_renew'),
      subscribedObject: textOf(item, 'subscribed_object'),
    }),
  }
}

function locationOf(item: unknown): Location {
  return {
    id: idKeyOf(item) ?? '',
    ...present({
      displayName: textOf(item, 'display_name'),
      countryCode: textOf(item, 'country_code'),
      apiEndpoint: textOf(item, 'api_endpoint'),
      uploadUrl: textOf(item, 'upload_url'),
    }),
  }
}

function rangeOf(from: unknown): Range {
  return present({ min: numberOf(from, 'min'), max: numberOf(from, 'max') })
}

function capabilitiesOf(body: unknown): Capabilities | undefined {
  const servers = fieldOf(body, 'servers')
  if (servers === undefined) return undefined
  const drives = fieldOf(body, 'drives')
  const byType = typeof drives === 'object' && drives !== null ? Object.entries(drives) : []
  return {
    cpuMhz: rangeOf(fieldOf(servers, 'cpu')),
    smp: rangeOf(fieldOf(servers, 'smp')),
    cpuPerSmp: rangeOf(fieldOf(servers, 'cpu_per_smp')),
    memBytes: rangeOf(fieldOf(servers, 'mem')),
    driveBytes: Object.fromEntries(
      byType.map(([type, each]: [string, unknown]) => [
        type,
        present({ min: numberOf(each, 'min_size') ?? numberOf(each, 'min'), max: numberOf(each, 'max_size') ?? numberOf(each, 'max') }),
      ]),
    ),
  }
}

function logEntryOf(item: unknown): LogEntry {
  return {
    uuid: idOf(item),
    ...present({
      action: textOf(item, 'action'),
      category: textOf(item, 'category'),
      actor: textOf(fieldOf(item, 'actor'), 'uuid'),
      isSuccess: booleanOf(item, 'success'),
      at: textOf(item, 'timestamp'),
    }),
  }
}
