import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { errorChain, toAscribeError } from '@ascribe/kit'
import { verifyJournal } from '@ascribe/journal'
import { listPriceVersions, listQuarantine, pendingLedgerMigrations, readWaitingActs } from '@ascribe/ledger'
import type { Context } from '../context.ts'
import { openDatabaseOnly } from '../open-ledger.ts'
import { examineCloud } from './cloud.ts'
import { examineUpstreams } from './upstreams.ts'

/** One thing that was looked at. `note`: worth knowing, not wrong. `mend` says what to do. */
export type Finding = { readonly what: string; readonly state: 'fine' | 'note' | 'wrong'; readonly detail: string; readonly mend?: string }

const MIB = 1024 * 1024
/** Journals stop admitting when the disk is full; this is the time to look. */
const FREE_BYTES_MIN = 1024 * MIB

/** Looks at everything, one finding after the other. Changes nothing, but for starting the embedded database if it is not running. */
export async function* examine(context: Context, options: { readonly kubeconfig?: string } = {}): AsyncGenerator<Finding, void, undefined> {
  const [major = 0] = process.versions.node.split('.').map(Number)
  yield major >= 26
    ? { what: 'node', state: 'fine', detail: process.version }
    : { what: 'node', state: 'wrong', detail: `${process.version} is too old`, mend: 'Use Node 26 or newer.' }
  const directory = examineDirectory(context)
  yield directory
  if (directory.state === 'wrong') {
    yield* examineCloud(context)
    return
  }
  yield await examineSpace(context)
  yield examineSecret(context)
  yield await examineJournals(context)
  yield* examineDatabase(context)
  yield* examineUpstreams(context)
  yield* examineCloud(context)
  const kubeconfig = options.kubeconfig ?? context.config.clusters.kubeconfig
  // Whoever has no management cluster does not wait for what it takes to talk to one.
  if (kubeconfig !== undefined) yield* (await import('./kube.ts')).examineKube(context, kubeconfig)
}

function examineDirectory({ dir }: Context): Finding {
  if (!existsSync(dir.root))
    return {
      what: 'data directory',
      state: 'wrong',
      detail: `${dir.root} is not there`,
      mend: '`ascribe up` makes it; or name another with --data.',
    }
  try {
    accessSync(dir.root, constants.R_OK | constants.W_OK | constants.X_OK)
    return { what: 'data directory', state: 'fine', detail: dir.root }
  } catch {
    return {
      what: 'data directory',
      state: 'wrong',
      detail: `${dir.root} cannot be written`,
      mend: 'Give it to the user that runs this, or name another with --data.',
    }
  }
}

async function examineSpace({ dir }: Context): Promise<Finding> {
  const { bavail, bsize } = await statfs(dir.root)
  const free = bavail * bsize
  const detail = `${Math.floor(free / MIB)} MiB free`
  if (free >= FREE_BYTES_MIN) return { what: 'disk', state: 'fine', detail }
  return { what: 'disk', state: 'wrong', detail, mend: 'Free some: a gateway whose journal cannot grow refuses requests.' }
}

function examineSecret({ config, dir }: Context): Finding {
  if (config.server_secret !== undefined) return { what: 'server secret', state: 'fine', detail: 'from the configuration' }
  if (!existsSync(dir.serverSecret)) return { what: 'server secret', state: 'note', detail: 'not made yet; the first key makes it' }
  const mode = statSync(dir.serverSecret).mode & 0o777
  if ((mode & 0o077) === 0) return { what: 'server secret', state: 'fine', detail: dir.serverSecret }
  return { what: 'server secret', state: 'wrong', detail: `others can read ${dir.serverSecret}`, mend: `chmod 600 ${dir.serverSecret}` }
}

async function examineJournals({ dir }: Context): Promise<Finding> {
  if (!existsSync(dir.journal)) return { what: 'journals', state: 'note', detail: 'none yet' }
  try {
    const { ok, writers, intents, settlements, open, corrupt, violations } = await verifyJournal(dir.root)
    const detail = `${writers} writers, ${intents} intents, ${settlements} settlements, ${open} open`
    if (!ok) return { what: 'journals', state: 'wrong', detail: violations[0] ?? detail, mend: '`ascribe journal verify` says all of it.' }
    if (corrupt > 0)
      return {
        what: 'journals',
        state: 'note',
        detail: `${detail}; ${corrupt} damaged segments were set aside`,
        mend: 'What checked out in them was kept. Look at the disk.',
      }
    return { what: 'journals', state: 'fine', detail }
  } catch (error) {
    return { what: 'journals', state: 'wrong', detail: errorChain(error) }
  }
}

/** What controllers did for users of the cloud who are no organization's yet: it is held aside, as what their machines use is. */
function examineActs(waiting: Awaited<ReturnType<typeof readWaitingActs>>): Finding {
  const what = 'acts'
  const [first] = waiting
  if (first === undefined) return { what, state: 'fine', detail: 'every act is in the log of its owner' }
  const acts = waiting.reduce((sum, each) => sum + each.acts, 0)
  const detail = `${acts} acts of controllers, and what the machines used, are of nobody: ${waiting
    .slice(0, 3)
    .map(({ authId }) => authId)
    .join(', ')}${waiting.length > 3 ? ' and others' : ''}`
  const user = /^cloudsigma:([^/]+)$/.exec(first.authId)?.[1]
  const command = user === undefined ? `keys map '${first.authId}'` : `owners map ${user}`
  return { what, state: 'note', detail, mend: `\`ascribe ${command} --org NAME\` says whose; they appear from the beginning.` }
}

async function* examineDatabase(context: Context): AsyncGenerator<Finding, void, undefined> {
  try {
    await using ledger = await openDatabaseOnly(context, { name: 'doctor', logger: context.logger, max: 1 })
    const { rows } = await ledger.db.query<{ version: string }>("select current_setting('server_version') as version")
    const version = rows[0]?.version ?? '?'
    const kind = ledger.embedded === undefined ? 'of your own' : 'embedded'
    yield Number.parseInt(version, 10) >= 15
      ? { what: 'database', state: 'fine', detail: `PostgreSQL ${version}, ${kind}` }
      : { what: 'database', state: 'wrong', detail: `PostgreSQL ${version} is too old`, mend: 'Use PostgreSQL 15 or newer.' }
    const pending = await pendingLedgerMigrations(ledger.db)
    if (pending.length > 0 && ledger.embedded !== undefined) {
      yield { what: 'schema', state: 'note', detail: 'not there yet; the first command that needs it makes it' }
      return
    }
    if (pending.length > 0) {
      yield { what: 'schema', state: 'wrong', detail: `${pending.length} migrations are missing`, mend: 'Run `ascribe migrate`.' }
      return
    }
    yield { what: 'schema', state: 'fine', detail: 'up to date' }
    const prices = await listPriceVersions(ledger.db)
    yield prices.length > 0
      ? { what: 'prices', state: 'fine', detail: `${prices.length} versions` }
      : { what: 'prices', state: 'note', detail: 'none: everything is held unpriced', mend: '`ascribe prices apply FILE`.' }
    const set = await listQuarantine(ledger.db, { limit: 1 })
    yield set.length === 0
      ? { what: 'quarantine', state: 'fine', detail: 'empty' }
      : {
          what: 'quarantine',
          state: 'wrong',
          detail: 'records were refused by the database',
          mend: '`ascribe events quarantine` shows them, `ascribe events replay` tries again.',
        }
    yield examineActs(await readWaitingActs(ledger.db))
  } catch (error) {
    yield { what: 'database', state: 'wrong', detail: errorChain(toAscribeError(error)) }
  }
}
