import type { User } from './users.ts'

export type Endpoint = { readonly name: string; readonly path: (user: User) => string }

const FIRST = '2026-09-01'
const LAST = '2026-09-30'

const of =
  (rest: string) =>
  (user: User): string =>
    `/v1/organizations/${user.organizationId}/${rest}`

/** What the console asks for, over the whole month. */
export const ENDPOINTS: readonly Endpoint[] = [
  { name: 'GET /api/organization', path: () => '/api/organization' },
  { name: 'GET /api/costs/breakdown/daily', path: () => `/api/costs/breakdown/daily?startDate=${FIRST}&endDate=${LAST}` },
  { name: 'GET /api/costs/daily', path: () => `/api/costs/daily?startDate=${FIRST}&endDate=${LAST}` },
  { name: 'GET /api/credits', path: () => '/api/credits' },
  { name: 'GET /api/invoices', path: () => '/api/invoices' },
  { name: 'GET /api/cloud-regions', path: () => '/api/cloud-regions' },
  { name: 'statement', path: of('statement?month=2026-09') },
  { name: 'costs by day and model', path: of(`costs?from=${FIRST}&to=${LAST}&groupBy=model`) },
  { name: 'costs by day, key, model, meter', path: of(`costs?from=${FIRST}&to=${LAST}&groupBy=apiKey,model,meter`) },
  {
    name: 'costs of the month by key, with the month before',
    path: of(`costs?from=${FIRST}&to=${LAST}&groupBy=apiKey&grain=total&compare=previous`),
  },
  { name: 'costs by the hour of a day, by model', path: of('costs?from=2026-09-15&to=2026-09-15&grain=hour&groupBy=model') },
  { name: 'usage by day and model', path: of(`usage?from=${FIRST}&to=${LAST}&groupBy=model`) },
  { name: 'charges of a day', path: of('charges?from=2026-09-15&to=2026-09-15') },
  { name: 'records of a month', path: of(`records?from=${FIRST}&to=${LAST}`) },
  { name: 'records of a month, of one model', path: of(`records?from=${FIRST}&to=${LAST}&model=bench-small`) },
  { name: 'statements', path: of('statements') },
  { name: 'invoices', path: of('invoices') },
  { name: 'credits', path: of('credits') },
  { name: 'budgets', path: of('budgets') },
  { name: 'keys', path: of('credentials') },
  { name: 'members', path: of('members') },
  { name: 'resources of a month', path: of(`resources?from=${FIRST}&to=${LAST}`) },
  { name: 'catalogue of models', path: of('catalogues/model') },
  { name: 'freshness', path: of(`freshness?from=${FIRST}&to=${LAST}`) },
]
