import { join } from 'node:path'
import { silentLogger } from '@ascribe/kit'
import { applyPriceBook, createOrganization, mapAuthId, migrateLedger } from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import { openDatabase, startEmbedded } from '@ascribe/postgres'
import type { Database, SocketTarget } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { MODELS, ORGANIZATIONS, authIdsOf } from './synthetic-records.ts'

/** A ledger on the disk that is measured, with the settings that users get, and customers in it. */
export type LedgerWorld = AsyncDisposable & {
  readonly db: Database
  /** For processes of their own. */
  readonly target: SocketTarget
  readonly organizations: readonly Organization[]
  readonly serverVersion: string
}

export async function openLedgerWorld(scratch: string): Promise<LedgerWorld> {
  await using stack = new AsyncDisposableStack()
  const embedded = await startEmbedded({ dataDir: join(scratch, 'postgres'), tryLock, logger: silentLogger })
  stack.defer(async () => void (await embedded.release()))
  const db = stack.use(openDatabase({ ...embedded.target, applicationName: 'ascribe bench', max: 8 }))
  await migrateLedger(db)
  const organizations: Organization[] = []
  for (let number = 0; number < ORGANIZATIONS; number += 1) {
    const organization = await createOrganization(db, { name: `Customer ${number}` })
    for (const authId of authIdsOf(number)) await mapAuthId(db, { authId, organizationId: organization.id })
    organizations.push(organization)
  }
  await applyPriceBook(db, { text: bookText(), file: 'bench.yaml', effectiveFrom: 'beginning', appliedBy: 'bench' })
  const { rows } = await db.query<{ server_version: string }>('show server_version')
  const owned = stack.move()
  return {
    db,
    target: embedded.target,
    organizations,
    serverVersion: rows[0]?.server_version ?? '',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function bookText(): string {
  const lines = MODELS.map(
    (model, index) => `  ${model}: { prompt: "0.00000${index + 1}", cached: "0.0000001", completion: "0.00000${index + 2}" }`,
  )
  return `version: 1\nbase_models:\n${lines.join('\n')}\n`
}
