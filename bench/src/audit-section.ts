import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createTrail, migrateLedger, parseAuditSigner } from '@ascribe/ledger'
import type { AuditEntry } from '@ascribe/ledger'
import { openDatabase, startEmbedded } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { runCommits } from './audit/commit-load.ts'
import type { Commit, Latencies, Load } from './audit/commit-load.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import type { LedgerSetting } from './setting.ts'

/** Of one organization, as the claim has it. */
const USERS = 50
/** What fifty people who read pages ask for together, generously. */
const PER_SECOND = 500
/** Of the claim: a line of the trail over a bare commit, p95. */
const OVERHEAD_MS_MAX = 1

const LOADS = {
  'one user': { users: 1 },
  'fifty users, 500 requests/s': { users: USERS, perSecond: PER_SECOND },
  'fifty users, each at once again': { users: USERS },
} as const satisfies Record<string, Omit<Load, 'seconds'>>
type LoadName = keyof typeof LOADS

type Pair = { readonly bare: Latencies; readonly audited: Latencies }

/** What a line of the audit trail costs over a bare durable commit of the same database, in turns. */
export async function measureAudit({ quick, progress, scratch }: LedgerSetting): Promise<Section> {
  await using stack = new AsyncDisposableStack()
  const embedded = await startEmbedded({ dataDir: join(scratch, 'postgres'), tryLock })
  stack.defer(async () => void (await embedded.release()))
  const bareDb = stack.use(openDatabase({ ...embedded.target, max: USERS }))
  const trailDb = stack.use(openDatabase({ ...embedded.target, max: 2 }))
  await migrateLedger(bareDb)
  await bareDb.query('create table bare_commit (n integer)')
  const signer = parseAuditSigner(
    generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    'the bench',
  )
  const trail = stack.use(createTrail({ db: trailDb, signer }))
  const organization = randomUUID()
  const bare: Commit = () => bareDb.query('insert into bare_commit values (1)')
  const audited: Commit = () => trail.append([lineOf(organization)])

  const rounds = quick ? 2 : 10
  const seconds = quick ? 0.5 : 1
  const pairs = new Map<LoadName, Pair[]>()
  const names = Object.keys(LOADS) as LoadName[]
  await Promise.all([runCommits(bare, { users: USERS, seconds }), runCommits(audited, { users: USERS, seconds })])
  for (let round = 0; round < rounds; round += 1) {
    progress(`the audit trail, round ${round + 1} of ${rounds}`)
    for (const name of names) {
      const load = { ...LOADS[name], seconds }
      pairs.getOrInsertComputed(name, () => []).push({ bare: await runCommits(bare, load), audited: await runCommits(audited, load) })
    }
  }
  return sectionOf(pairs)
}

/** As the internal listener writes one. */
function lineOf(chain: string): AuditEntry {
  return {
    chain,
    kind: 'read',
    at: Date.now(),
    actor: {
      kind: 'operator',
      id: 'ada@example.com',
      issuer: 'teleport.example.com',
      roles: ['billing-viewer', 'support'],
      via: 'teleport',
      ip: '10.1.2.3',
    },
    act: {
      sessionId: randomUUID(),
      reason: 'the customer asked why March is dearer than February',
      ticket: 'SUP-12345',
      expiresAt: Date.now(),
    },
    method: 'GET',
    path: '/api/costs/breakdown/daily',
    query: 'startDate=2026-03-01&endDate=2026-03-31',
    status: 200,
    requestId: randomUUID(),
  }
}

/** Whatever else the machine does adds to a round and takes nothing from it. */
function least(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.min(...values)
}

function sectionOf(pairs: ReadonlyMap<LoadName, readonly Pair[]>): Section {
  const p95 = (name: LoadName, which: keyof Pair): number => least((pairs.get(name) ?? []).map((pair) => pair[which].p95Ms))
  const p50 = (name: LoadName, which: keyof Pair): number => least((pairs.get(name) ?? []).map((pair) => pair[which].p50Ms))
  const total = (name: LoadName, which: keyof Pair): number => (pairs.get(name) ?? []).reduce((sum, pair) => sum + pair[which].count, 0)
  const alone = p95('one user', 'bare')
  const paced = 'fifty users, 500 requests/s'
  const flat = 'fifty users, each at once again'
  const target = (what: string, value: number): Section['targets'][number] => ({
    what,
    value,
    limit: OVERHEAD_MS_MAX,
    kind: 'most',
    unit: 'ms',
  })
  return {
    name: 'audit',
    title: 'A line of the audit trail of one organization, beside a bare durable commit of one row: milliseconds',
    columns: ['', 'bare p50', 'bare p95', 'line p50', 'line p95', 'bare commits', 'lines'],
    rows: [...pairs.keys()].map((name) => [
      name,
      number(p50(name, 'bare')),
      number(p95(name, 'bare')),
      number(p50(name, 'audited')),
      number(p95(name, 'audited')),
      number(total(name, 'bare')),
      number(total(name, 'audited')),
    ]),
    notes: ['bare commits have a connection for each user; lines share two, and a commit each batch; the least of rounds in turns'],
    targets: [
      target('a line over a bare commit, fifty users at 500 requests/s, p95', p95(paced, 'audited') - p95(paced, 'bare')),
      target('a line at 500 requests/s over a bare commit of a user alone, p95', p95(paced, 'audited') - alone),
      target('a line over a bare commit, fifty users who ask again at once, p95', p95(flat, 'audited') - p95(flat, 'bare')),
    ],
    raw: Object.fromEntries(pairs),
  }
}
