import type { AccessLogLine } from '@ascribe/contract/writes'
import type { MockInput, Mocks } from './mocks.ts'
import { CURRENCY, HOUR_MS, KEYS, ORGANIZATION, OTHER, dayText, instantText } from './sample.ts'

const HASH = '0f'.repeat(32)
const LONG = 'A name of sixty characters that a page has to hold in a row'

const nameOf = ({ state }: MockInput): string => (state === 'long-names' ? LONG : 'Demo')

function logLines(now: number): readonly AccessLogLine[] {
  const act = {
    sessionId: ORGANIZATION,
    reason: 'the bill of last week looks too high',
    ticket: 'T-4711',
    expiresAt: instantText(now + HOUR_MS),
  }
  const olga = { kind: 'operator', id: 'olga@ops.example', issuer: 'teleport.localhost', roles: ['billing-viewer'], via: 'teleport' }
  const paths = ['costs', 'invoices', 'access-log', 'credits', 'credentials']
  return Array.from({ length: 40 }, (_, index) => ({
    sequence: 40 - index,
    at: instantText(now - index * 90_000),
    kind: index === 39 ? 'session' : 'read',
    actor: olga,
    act,
    method: 'GET',
    path: `/v1/organizations/${ORGANIZATION}/${paths[index % paths.length]}`,
    query: index % 5 === 0 ? 'from=2026-10-01&to=2026-10-31' : '',
    status: 200,
    requestId: ORGANIZATION,
    hash: HASH,
    erased: [],
  }))
}

/** Who is here, who else, and who looked. */
export const peopleMocks: Mocks = {
  getMe: (input) => ({
    kind: 'user',
    id: 'ada',
    name: 'Ada Demo',
    email: 'ada@demo.example',
    ...(input.state !== 'several' && {
      organizationId: ORGANIZATION,
      role: input.state === 'viewer' ? ('viewer' as const) : ('admin' as const),
    }),
    organizations: [
      { id: ORGANIZATION, name: nameOf(input), role: input.state === 'viewer' ? 'viewer' : 'admin' },
      ...(input.state === 'several' ? [{ id: OTHER, name: 'Other Company', role: 'viewer' as const }] : []),
    ],
    via: 'cookie',
    endsAt: instantText(input.now + 8 * HOUR_MS),
  }),
  chooseMyOrganization: (input) => ({
    kind: 'user',
    id: 'ada',
    organizationId: ORGANIZATION,
    role: 'admin',
    organizations: [{ id: ORGANIZATION, name: nameOf(input), role: 'admin' }],
    via: 'cookie',
  }),
  logout: () => ({}),
  getOrganization: (input) => ({
    id: ORGANIZATION,
    name: nameOf(input),
    currency: CURRENCY,
    plan: input.state.startsWith('trial') ? 'evaluation' : 'on-demand',
    blocked: false,
    ...(input.state === 'trial' && { trialExpiresAt: instantText(input.now + 9 * 24 * HOUR_MS) }),
    ...(input.state === 'trial-ended' && { trialExpiresAt: instantText(input.now - 2 * 24 * HOUR_MS) }),
    children: [],
  }),
  searchOrganizations: (input) => ({
    data:
      input.state === 'new'
        ? []
        : [
            { id: ORGANIZATION, name: nameOf(input) },
            { id: OTHER, name: 'Other Company' },
          ],
    more: false,
  }),
  getActingSession: ({ now, state }) => session(now, state === 'five-minutes' ? 4 * 60_000 : 42 * 60_000),
  startActingSession: ({ now }) => session(now, HOUR_MS),
  endActingSession: () => ({ ended: true }),
  listApiKeys: ({ now, state }) => ({
    currency: CURRENCY,
    data:
      state === 'new'
        ? []
        : KEYS.map(({ id, name, user }, index) => ({
            id,
            publicId: `ask_${name.padEnd(12, '0').slice(0, 12)}`,
            name: state === 'long-names' ? LONG : name,
            scopes: ['inference', 'billing:read'],
            user,
            state: index === 2 ? ('revoked' as const) : ('active' as const),
            createdAt: instantText(now - (90 - index) * 24 * HOUR_MS),
            ...(index === 2 && { revokedAt: instantText(now - HOUR_MS) }),
            ...(index !== 1 && { lastUsedAt: instantText(now - 120_000) }),
            spentThisMonth: ['1204.104', '0', '0.0000412'][index] ?? '0',
          })),
  }),
  listModels: () => ({ data: ['gpt-oss-120b', 'llama-3.3-70b', 'qwen3-32b'].map((id) => ({ id })) }),
  listMembers: ({ state }) => ({
    data:
      state === 'new'
        ? []
        : [
            { id: 'ada', name: state === 'long-names' ? LONG : 'Ada Demo', email: 'ada@demo.example', groups: ['research'] },
            { id: 'vic', name: 'Vic Viewer', groups: [] },
          ],
  }),
  listGroups: ({ state }) => ({ data: state === 'new' ? [] : [{ id: 'research', name: 'Research', members: 1 }] }),
  getAccessLog: ({ now, state }) => ({
    data: state === 'new' ? [] : logLines(now),
    head: { chain: ORGANIZATION, sequence: 40, hash: HASH, at: instantText(now), keyId: 'k1', signature: 'c2ln' },
  }),
  verifyAccessLog: ({ now }) => ({
    lines: 1204,
    since: instantText(now - 200 * 24 * HOUR_MS),
    checked: 1204,
    isWhole: true,
    erasedFields: 0,
  }),
  getSupportAccess: ({ now }) => ({ requireApproval: true, changedAt: instantText(now - HOUR_MS), changedBy: 'ada' }),
  listSupportRequests: ({ now, state }) => ({
    data:
      state === 'new'
        ? []
        : [
            {
              id: OTHER,
              operator: 'olga@ops.example',
              reason: 'the bill of last week looks too high',
              ticket: 'T-4711',
              minutes: 60,
              requestedAt: instantText(now - 120_000),
              state: 'pending',
            },
          ],
  }),
  listMachines: ({ now, state, query }) => ({
    start: `${query.get('from') ?? dayText(now)}T00:00:00.000Z`,
    end: instantText(now),
    currency: CURRENCY,
    amount: state === 'new' ? '0' : '41.12',
    memo: '0',
    data:
      state === 'new'
        ? []
        : [
            {
              id: OTHER,
              name: state === 'long-names' ? LONG : 'web-1',
              namespace: 'team-a',
              cluster: 'prod',
              region: 'zrh',
              account: 'owner',
              owner: 'ada',
              state: 'running',
              stateAt: instantText(now - HOUR_MS),
              since: instantText(now - 514 * HOUR_MS),
              cpuMhz: 4000,
              memoryMib: 8192,
              diskGib: '50',
              addresses: 1,
              hours: '514',
              meters: { vm_cpu_mhz_hours: '2056000' },
              settledBy: 'platform',
              amount: '41.12',
              memo: '0',
              held: 0,
              createdBy: { controller: 'capi', object: 'CloudSigmaMachine team-a/web-1', at: instantText(now - 514 * HOUR_MS) },
            },
          ],
  }),
}

function session(now: number, leftMs: number) {
  const [reason, ticket] = ['the bill of last week looks too high', 'T-4711']
  return {
    id: OTHER,
    organizationId: ORGANIZATION,
    operator: 'olga@ops.example',
    reason,
    ticket,
    startedAt: instantText(now + leftMs - HOUR_MS),
    expiresAt: instantText(now + leftMs),
    delegation: {
      sub: ORGANIZATION,
      act: { sub: 'olga@ops.example', iss: 'teleport.localhost' },
      scope: 'billing:read',
      reason,
      ticket,
      exp: Math.floor((now + leftMs) / 1000),
    },
  }
}
