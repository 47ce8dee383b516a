import type { Command } from 'commander'
import { InputError, systemClock } from '@ascribe/kit'
import {
  INSTALLATION_CHAIN,
  createPlatformCredential,
  createTrail,
  listPlatformCredentials,
  revokePlatformCredential,
} from '@ascribe/ledger'
import type { AuditEntry } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import { openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'
import { cliActor } from './audit-erase.ts'

/** `ascribe admin-keys create|list|revoke`. */
export function configureAdminKeys(root: Command, surroundings: Surroundings): void {
  addCreate(root, surroundings)
  addList(root, surroundings)
  addRevoke(root, surroundings)
}

type CreateOptions = { readonly name: string; readonly readOnly?: true; readonly expires?: number }

function addCreate(keys: Command, surroundings: Surroundings): void {
  keys
    .command('create')
    .description('make a key for the admin listener; it is shown once')
    .requiredOption('--name <name>', 'which automation it is for')
    .option('--read-only', 'it may read, and change nothing')
    .option('--expires <instant>', 'it works until then (default: until it is revoked)', instantArgument)
    .addHelpText('after', '\nExample:  ascribe admin-keys create --name terraform --expires 2027-06-01T00:00:00Z')
    .action(async (options: CreateOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'admin-keys', logger: context.logger, max: 2 })
      await using trail = createTrail({ db: ledger.db, signer: auditSignerOf(context), logger: context.logger })
      const made = await createPlatformCredential(ledger.db, serverSecretOf(context), {
        name: options.name,
        ...(options.readOnly === true && { scopes: ['platform:read'] }),
        ...(options.expires !== undefined && { expiresAt: options.expires }),
        by: operatorOf(surroundings),
        audit: (tx, { id }) => trail.appendIn(tx, [adminLine(surroundings, { change: 'platform_key_made', id })]),
      })
      if (context.out.json) return context.out.value({ id: made.id, public_id: made.publicId, key: made.key })
      context.out.line(made.key)
      context.out.note(`${made.id}: shown once, and stored nowhere`)
    })
}

function adminLine(surroundings: Surroundings, detail: NonNullable<AuditEntry['detail']>): AuditEntry {
  return { chain: INSTALLATION_CHAIN, kind: 'admin', at: systemClock(), actor: cliActor(surroundings), detail }
}

function addList(keys: Command, surroundings: Surroundings): void {
  keys
    .command('list')
    .description('list the keys of the admin listener, ended ones too')
    .action(async (_options: unknown, command: Command) => {
      const { out, ...context } = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'admin-keys', logger: context.logger, max: 2 })
      const found = await listPlatformCredentials(ledger.db)
      const at = (instant: number | undefined): string | undefined => (instant === undefined ? undefined : formatInstant(instant))
      if (out.json) {
        return out.value(
          found.map(({ id, name, publicId, scopes, createdAt, createdBy, expiresAt, lastUsedAt, endedAt, endedBy }) => ({
            id,
            name,
            public_id: publicId,
            scopes,
            created_at: at(createdAt),
            created_by: createdBy,
            expires_at: at(expiresAt),
            last_used_at: at(lastUsedAt),
            revoked_at: at(endedAt),
            revoked_by: endedBy,
          })),
        )
      }
      const titles = ['id', 'name', 'may', 'made', 'by', 'last used', 'ends']
      out.table(
        titles.map((title) => ({ title })),
        found.map(({ id, name, scopes, createdAt, createdBy, expiresAt, lastUsedAt, endedAt }) => [
          id,
          name,
          scopes.includes('platform:write') ? 'write' : 'read',
          formatInstant(createdAt),
          createdBy,
          at(lastUsedAt) ?? 'never',
          endedAt === undefined ? (at(expiresAt) ?? '–') : `revoked ${formatInstant(endedAt)}`,
        ]),
      )
    })
}

function addRevoke(keys: Command, surroundings: Surroundings): void {
  keys
    .command('revoke')
    .argument('<id>', 'of the key, as `list` shows it')
    .description('end a key of the admin listener, for ever and at once')
    .addHelpText('after', '\nExample:  ascribe admin-keys revoke 7f1c…')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'admin-keys', logger: context.logger, max: 2 })
      await using trail = createTrail({ db: ledger.db, signer: auditSignerOf(context), logger: context.logger })
      const outcome = await revokePlatformCredential(ledger.db, {
        id,
        by: operatorOf(surroundings),
        audit: async (tx, what) =>
          what === 'revoked' ? trail.appendIn(tx, [adminLine(surroundings, { change: 'platform_key_revoked', id })]) : undefined,
      })
      if (outcome === 'unknown')
        throw new InputError(`Cannot revoke ${id}: there is no such key`, { hint: '`ascribe admin-keys list` shows all.' })
      if (context.out.json) context.out.value({ outcome, id })
      else context.out.line(outcome === 'revoked' ? `revoked ${id}` : `${id} was revoked already`)
    })
}
