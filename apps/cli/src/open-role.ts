import { InputError } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { grantRoles, isRoleMember } from '@ascribe/ledger'
import type { LedgerRole } from '@ascribe/ledger'
import { openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import type { Context } from './context.ts'
import type { OpenLedger } from './open-ledger.ts'

export type RoleOptions = {
  readonly role: LedgerRole
  /** Connections at most. */
  readonly max: number
  readonly name: string
  readonly logger: Logger
}

/** Listeners ask the same few questions again and again: as many as they have, some kilobytes each a connection. */
const PREPARED = 256

/** Servers whose roles have been seen to in this process. */
const granted = new WeakSet<OpenLedger>()

/**
 * Opens a pool whose every connection goes on under a role, which may do what a listener does and nothing else. In the embedded server the
 * roles are made; one of somebody's own must have them, and its login must be a member. The operators' door does not open without its role;
 * the others then have the rights of the login, as they had before there were roles. @throws {InputError}
 */
export async function openAsRole(context: Context, ledger: OpenLedger, { role, max, name, logger }: RoleOptions): Promise<Database> {
  const url = context.config.database_url?.reveal()
  if (ledger.embedded !== undefined && !granted.has(ledger)) {
    await grantRoles(ledger.db)
    granted.add(ledger)
  }
  const isMember = ledger.embedded !== undefined || (await isRoleMember(ledger.db, role))
  if (!isMember && role === 'ascribe_internal') {
    throw new InputError(`Cannot start the internal listener: the login of the database is no member of ${role}`, {
      hint: `Run \`ascribe migrate --roles\` and, as its administrator, \`grant ${role} to LOGIN\`.`,
    })
  }
  if (!isMember) logger.warn('a listener has all rights of its login: the login is no member of its role', { role })
  const target = url === undefined ? embeddedTarget(ledger) : { url }
  return openDatabase({ ...target, applicationName: `ascribe ${name}`, max, logger, prepared: PREPARED, ...(isMember && { role }) })
}

function embeddedTarget({ embedded }: OpenLedger): NonNullable<OpenLedger['embedded']>['target'] {
  if (embedded === undefined) throw new InputError('Cannot open the ledger: there is no database')
  return embedded.target
}
