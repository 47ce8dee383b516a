import { readFileSync, writeFileSync } from 'node:fs'
import { publicIdOf } from '@ascribe/identity'
import { createOrganization, findOrganization, listCredentials } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Context } from './context.ts'
import { createKey } from './make-key.ts'

/** The organization that `ascribe up` makes for a newcomer, and its keys. */
export type Demo = {
  readonly organization: { readonly id: string; readonly name: string }
  /** May be used for inference. */
  readonly key: string
  readonly auth_id: string
  /** May read the organization's bills. */
  readonly billing_key: string
}

const NAME = 'Demo'

/**
 * The demo organization of this data directory: the one of the last start, or a new one. Its keys are the only ones
 * that are kept anywhere, in a file that only its owner can read: a newcomer must find them again.
 */
export async function demoOf(context: Pick<Context, 'config' | 'dir'>, db: Database): Promise<Demo> {
  const kept = readDemo(context.dir.demo)
  if (kept !== undefined && (await isInForce(db, kept))) return kept
  // It may be there without its file, if a start was killed between the two, or its keys have been revoked.
  const found = await findOrganization(db, NAME)
  const { id, name } = found === undefined || found === 'ambiguous' ? await createOrganization(db, { name: NAME }) : found
  const inference = await createKey(context, db, { organizationId: id, scopes: ['inference'], name: 'demo key' })
  const billing = await createKey(context, db, { organizationId: id, scopes: ['billing:read'], name: 'demo billing key' })
  const demo: Demo = { organization: { id, name }, key: inference.key, auth_id: inference.authId, billing_key: billing.key }
  writeFileSync(context.dir.demo, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600, flush: true })
  return demo
}

/** Whether the organization is in this ledger and both of its keys still work. */
async function isInForce(db: Database, { organization, key, billing_key: billingKey }: Demo): Promise<boolean> {
  const active = (await listCredentials(db, { organizationId: organization.id })).filter(({ state }) => state === 'active')
  const living = active.flatMap(({ secrets }) => secrets).filter(({ endsAt = Infinity }) => endsAt > Date.now())
  const publicIds = new Set(living.map(({ publicId }) => publicId))
  return [key, billingKey].every((each) => publicIds.has(publicIdOf(each) ?? ''))
}

function readDemo(path: string): Demo | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Demo>
    const { organization, key, auth_id, billing_key } = value
    return organization !== undefined && key !== undefined && auth_id !== undefined && billing_key !== undefined
      ? { organization, key, auth_id, billing_key }
      : undefined
  } catch {
    // Not there yet, or not ours: a new demo is made.
    return undefined
  }
}
