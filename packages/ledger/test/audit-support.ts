import { generateKeyPairSync } from 'node:crypto'
import type { Logger } from '@ascribe/kit'
import { silentLogger } from '@ascribe/kit'
import type { Database, Queryable } from '@ascribe/postgres'
import { createTrail, exportAudit, parseAuditSigner, verifyAudit } from '../src/index.ts'
import type { AuditEntry, AuditReport, AuditSigner, SignedHead, Trail, TrailOptions } from '../src/index.ts'
import { TEN } from './support.ts'

export const ORG = '11111111-1111-4111-8111-111111111111'
export const OTHER = '22222222-2222-4222-8222-222222222222'

/** An Ed25519 private key as PEM. */
export function newKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
}

export const KEY_PEM: string = newKeyPem()
export const signer: AuditSigner = parseAuditSigner(KEY_PEM, 'the test')

export function openTrail(db: Database, options: Partial<TrailOptions> = {}): Trail {
  return createTrail({ db, signer, clock: () => TEN, ...options })
}

export const ada = {
  kind: 'operator',
  id: 'ada@example.com',
  issuer: 'teleport.example',
  name: 'Ada',
  roles: ['billing-viewer'],
  via: 'teleport',
  ip: '10.0.0.7',
} as const

/** A line as the internal listener writes one. */
export function viewed(fields: Partial<AuditEntry> = {}): AuditEntry {
  return {
    chain: ORG,
    kind: 'read',
    at: TEN,
    actor: ada,
    act: { sessionId: '33333333-3333-4333-8333-333333333333', reason: 'asked about March', ticket: 'T-1', expiresAt: TEN + 60_000 },
    method: 'GET',
    path: '/api/costs/daily',
    query: 'startDate=2026-03-01&endDate=2026-03-31',
    status: 200,
    requestId: 'req-1',
    ...fields,
  }
}

/** An export as lines of text. */
export async function exported(db: Queryable, chains?: readonly string[], by: AuditSigner = signer): Promise<readonly string[]> {
  const values = await Array.fromAsync(exportAudit(db, { signer: by, now: TEN, ...(chains !== undefined && { chains }) }))
  return values.map((value) => JSON.stringify(value))
}

export const publicKeys: ReadonlyMap<string, string> = new Map([[signer.keyId, signer.publicKey]])

export async function verified(db: Queryable, heads: readonly SignedHead[] = []): Promise<AuditReport> {
  return verifyAudit(await exported(db), { heads, keys: publicKeys })
}

export const kindsOf = ({ problems }: AuditReport): readonly string[] => [...new Set(problems.map(({ kind }) => kind))].toSorted()

/** Keeps what is logged. */
export function listeningLogger(): Logger & { readonly lines: { readonly message: string; readonly fields: object }[] } {
  const lines: { message: string; fields: object }[] = []
  const note = (message: string, fields: object = {}): void => void lines.push({ message, fields })
  return { ...silentLogger, info: note, warn: note, lines }
}
