import type { Logger } from '@ascribe/kit'
import { InputError, systemClock, silentMeters } from '@ascribe/kit'
import { createTrail, migrateLedger, pendingLedgerMigrations, rateDirtyHours } from '@ascribe/ledger'
import type { Trail } from '@ascribe/ledger'
import type { Database, EmbeddedPostgres } from '@ascribe/postgres'
import { openDatabase, startEmbedded } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { createSettler, publishPolicy } from '@ascribe/settler'
import { auditSignerOf } from './audit-key.ts'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'

/** The ledger, and the share in the embedded server that it may stand on. */
export type OpenLedger = AsyncDisposable & {
  readonly db: Database
  readonly embedded: EmbeddedPostgres | undefined
}

export type OpenLedgerOptions = {
  readonly name: string
  readonly logger: Logger
  /** Connections at most. */
  readonly max?: number
  /** The embedded database, where somebody is starting it already. */
  readonly embedded?: Promise<EmbeddedPostgres> | undefined
  /** Bring a database of somebody's own up to date instead of refusing it. The embedded one always is. */
  readonly migrate?: boolean
}

/** Opens the ledger: somebody's own database, or the embedded one, which is started or shared as need be, and migrated. */
export async function openLedger(context: Pick<Context, 'config' | 'dir'>, options: OpenLedgerOptions): Promise<OpenLedger> {
  const ledger = await openDatabaseOnly(context, options)
  try {
    if (ledger.embedded !== undefined || options.migrate === true) await migrateLedger(ledger.db, { logger: options.logger })
    else await refuseOldSchema(ledger.db)
    return ledger
  } catch (error) {
    await ledger[Symbol.asyncDispose]()
    throw error
  }
}

/** The same without a look at its schema. */
export async function openDatabaseOnly(context: Pick<Context, 'config' | 'dir'>, options: OpenLedgerOptions): Promise<OpenLedger> {
  const { config, dir } = context
  const { name, logger, max = 10 } = options
  prepareDataDir(dir)
  const url = config.database_url?.reveal()
  const embedded = url === undefined ? await (options.embedded ?? startEmbedded({ dataDir: dir.postgres, tryLock, logger })) : undefined
  const db = openDatabase({ ...(url === undefined ? embeddedTarget(embedded) : { url }), applicationName: `ascribe ${name}`, max, logger })
  return {
    db,
    embedded,
    async [Symbol.asyncDispose]() {
      await db.close()
      await embedded?.release()
    },
  }
}

function embeddedTarget(embedded: EmbeddedPostgres | undefined): EmbeddedPostgres['target'] {
  if (embedded === undefined) throw new InputError('Cannot open the ledger: there is no database')
  return embedded.target
}

async function refuseOldSchema(db: Database): Promise<void> {
  const pending = await pendingLedgerMigrations(db)
  if (pending.length === 0) return
  throw new InputError(`Cannot use the database: it lacks ${pending.length} migration${pending.length === 1 ? '' : 's'}`, {
    hint: 'Run `ascribe migrate`.',
  })
}

/**
 * Opens the ledger for one command and makes sure that its answer is whole. When no settler runs, what journals hold is
 * shipped here, those of dead processes first recovered; then whatever is dirty is rated.
 */
export async function openSettledLedger(context: Context, name: string): Promise<OpenLedger> {
  const ledger = await context.out.progress('opening the ledger', openLedger(context, { name, logger: context.logger, max: 4 }))
  try {
    await context.out.progress('shipping and rating what is new', settleNow(context, ledger.db))
  } catch (error) {
    await ledger[Symbol.asyncDispose]()
    throw error
  }
  return ledger
}

async function settleNow(context: Context, db: Database): Promise<void> {
  using lock = tryLock(context.dir.settlerLock)
  await (lock === undefined ? rateDirtyHours(db) : settleOnce(context, db))
}

/**
 * What a settler does in one pass, where none runs: the caller holds the lock. Acts of controllers become lines of their owners' logs, too; the
 * key of the trail is only opened, or made, when there is such a line.
 */
export async function settleOnce(context: Pick<Context, 'config' | 'dir' | 'logger'>, db: Database): Promise<void> {
  const { dir, logger } = context
  await using stack = new AsyncDisposableStack()
  let opened: Trail | undefined
  const trail: Pick<Trail, 'appendIn'> = {
    appendIn(...line) {
      opened ??= stack.use(createTrail({ db, signer: auditSignerOf(context), logger }))
      return opened.appendIn(...line)
    },
  }
  const common = { db, journal: dir.journal, policy: dir.policy, tryLock, clock: systemClock, logger, meters: silentMeters }
  await createSettler({ ...common, trail }).pass()
}

/** Opens the ledger for a command that changes the directory, and lets gateways know of the change before it returns. */
export async function changeDirectory<Result>(context: Context, name: string, change: (db: Database) => Promise<Result>): Promise<Result> {
  await using ledger = await openLedger(context, { name, logger: context.logger, max: 4 })
  const result = await change(ledger.db)
  await publishPolicy(ledger.db, context.dir.policy, tryLock)
  return result
}
