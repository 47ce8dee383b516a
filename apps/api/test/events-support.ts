import type { Scope } from '@ascribe/identity'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { createOrganization, rateDirtyHours, readStatement, streamEvents } from '@ascribe/ledger'
import type { EventRule, LedgerRecord } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { startApi } from '../src/index.ts'
import { createKey, serverSecret } from './support.ts'

/** A token of the installation. */
export const TOKEN = 'platform-token-0123456789'
export const BODY_SIZE = 20_000
export const BATCH_MAX = 20

const RULES: readonly EventRule[] = [
  {
    type: 'vm.usage',
    resourceType: 'vm',
    resourceId: '$.vm',
    model: 'small',
    subject: 'auth_id',
    meters: { input_tokens: { path: '$.cpu' }, output_tokens: { path: '$.disk', scale: 3, optional: true } },
  },
  { type: 'ping', resourceId: 'pings', model: 'small', subject: 'user', meters: { input_tokens: { count: 1 } } },
]

export type Answer = { readonly status: number; readonly text: string; readonly body: unknown; readonly headers: Headers }

export type EventsApi = AsyncDisposable & {
  readonly url: string
  post(
    body: string | Uint8Array,
    options?: { readonly type?: string; readonly key?: string; readonly headers?: Record<string, string>; readonly path?: string },
  ): Promise<Answer>
  get(path: string, key?: string): Promise<Answer>
}

export async function openEventsApi(db: Database): Promise<EventsApi> {
  const events = { rules: RULES, tokens: [{ id: 'platform', token: TOKEN }], bodySize: BODY_SIZE, batchMax: BATCH_MAX }
  const api = await startApi({ host: '127.0.0.1', port: 0, events }, { db, serverSecret, logger: silentLogger, meters: silentMeters })
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(api.url + path, init)
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? undefined : (JSON.parse(text) as unknown), headers: response.headers }
  }
  return {
    url: api.url,
    post: (body, { type = 'application/cloudevents+json', key = TOKEN, headers = {}, path = '/v1/events' } = {}) =>
      ask(path, { method: 'POST', body, headers: { 'content-type': type, authorization: `Bearer ${key}`, ...headers } }),
    get: (path, key) => ask(path, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

export type Sender = { readonly id: string; readonly key: string; readonly authId: string }

/** An organization with a key of these scopes. */
export async function createSender(
  db: Database,
  name: string,
  scopes: readonly Scope[] = ['usage:write', 'billing:read'],
): Promise<Sender> {
  const { id } = await createOrganization(db, { name })
  return { id, ...(await createKey(db, id, scopes)) }
}

/** Yesterday at noon: events are of the past, and whole hours are simple. */
export const NOON: number = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 43_200_000

export function event(id: string, fields: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    specversion: '1.0',
    id,
    source: 'meter-1',
    type: 'vm.usage',
    time: new Date(NOON).toISOString(),
    data: { vm: 'vm-1', cpu: 1000 },
    ...fields,
  }
}

export async function recordsOf(db: Database): Promise<readonly LedgerRecord['record'][]> {
  return (await Array.fromAsync(streamEvents(db))).map(({ record }) => record)
}

export async function rateAll(db: Database): Promise<void> {
  while ((await rateDirtyHours(db)).more);
}

/** What a statement of the events' month comes to. */
export async function totalOf(db: Database, organizationId: string): Promise<string | undefined> {
  const month = new Date(NOON).toISOString().slice(0, 7)
  return (await readStatement(db, { organizationId, month, scope: 'customer' }))?.total
}
