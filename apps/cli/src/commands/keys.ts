import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { KEY_POLL_MS, SCOPES, createApiKey } from '@ascribe/identity'
import type { Scope } from '@ascribe/identity'
import { AscribeError, InputError } from '@ascribe/kit'
import { createCredential, listCredentials, mapAuthId, revokeCredential } from '@ascribe/ledger'
import type { Credential } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { organizationNamed } from '../find-organization.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'

/** A change of the directory that was refused as things stand. */
class DirectoryConflictError extends AscribeError {
  override readonly code = 'DIRECTORY_CONFLICT'
}

/** `ascribe keys create|revoke|map|list`. */
export function configureKeys(root: Command, surroundings: Surroundings): void {
  const keys = root
  addCreate(keys, surroundings)
  addRevoke(keys, surroundings)
  addMap(keys, surroundings)
  addList(keys, surroundings)
}

function addCreate(keys: Command, surroundings: Surroundings): void {
  keys
    .command('create')
    .description('make an API key; it is shown once')
    .requiredOption('--org <id>', 'whose key it is, by id or name')
    .option('--name <name>', 'what people call it')
    .addOption(new Option('--scope <scope...>', 'what it may do').choices([...SCOPES]).default(['inference']))
    .addHelpText('after', '\nExample:  ascribe keys create --org Acme --scope inference billing:read')
    .action(async (options: { org: string; name?: string; scope: Scope[] }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { authId, key } = await changeDirectory(context, 'keys', async (db) => {
        const organization = await organizationNamed(db, options.org)
        return createKey(context, db, {
          organizationId: organization.id,
          scopes: options.scope,
          ...(options.name !== undefined && { name: options.name }),
        })
      })
      if (context.out.json) return context.out.value({ auth_id: authId, key })
      context.out.line(key)
      context.out.note(`This key is shown once and stored nowhere. Its auth id is ${authId}.`)
    })
}

/** Makes a key and stores what proves it. */
export async function createKey(
  context: Pick<Context, 'config' | 'dir'>,
  db: Database,
  wanted: { readonly organizationId: string; readonly scopes: readonly Scope[]; readonly name?: string },
): Promise<{ readonly authId: string; readonly key: string }> {
  const secret = serverSecretOf(context)
  for (;;) {
    const { key, publicId, hmac } = createApiKey(secret)
    const outcome = await createCredential(db, { ...wanted, publicId, hmac })
    if (outcome.kind === 'created') return { authId: outcome.authId, key }
    if (outcome.kind === 'unknown_organization')
      throw new InputError(`Cannot make a key: there is no organization ${wanted.organizationId}`)
    // A public id that is taken: one in 36^12. The next one is not.
  }
}

function addRevoke(keys: Command, surroundings: Surroundings): void {
  keys
    .command('revoke')
    .argument('<auth-id>', 'of the key')
    .description('end a key, for ever; what it used stays attributed')
    .action(async (authId: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const outcome = await changeDirectory(context, 'keys', (db) => revokeCredential(db, authId))
      // Gateways look at their policy this often: when this returns, the key works nowhere.
      await delay(KEY_POLL_MS)
      if (outcome === 'unknown')
        throw new InputError(`Cannot revoke ${authId}: it is no key of ours`, { hint: '`ascribe keys list` shows all of them.' })
      if (context.out.json) context.out.value({ auth_id: authId, outcome })
      else context.out.line(outcome === 'revoked' ? `revoked ${authId}` : `${authId} was revoked already`)
    })
}

function addMap(keys: Command, surroundings: Surroundings): void {
  keys
    .command('map')
    .description('say whose usage an auth id is: one that an edge names, or one of our keys')
    .requiredOption('--auth-id <id>', 'the auth id')
    .requiredOption('--org <id>', 'the organization, by id or name')
    .option('--user <id>', 'the user')
    .option('--from <instant>', 'from when on (default: always for a new auth id, now for one that has an owner)', instantArgument)
    .addHelpText('after', '\nExample:  ascribe keys map --auth-id tok-123 --org Acme --from 2026-11-01T00:00:00Z')
    .action(async (options: { authId: string; org: string; user?: string; from?: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { organization, outcome } = await changeDirectory(context, 'keys', async (db) => {
        const found = await organizationNamed(db, options.org)
        const { authId, user, from } = options
        return {
          organization: found,
          outcome: await mapAuthId(db, {
            authId,
            organizationId: found.id,
            ...(user !== undefined && { userId: user }),
            ...(from !== undefined && { from }),
          }),
        }
      })
      if (outcome.kind === 'unknown_organization') throw new InputError(`Cannot map ${options.authId}: the organization is gone`)
      const from = outcome.from === 'beginning' ? 'the beginning' : formatInstant(outcome.from)
      if (outcome.kind === 'conflict') {
        throw new DirectoryConflictError(
          `Cannot map ${options.authId} from ${from}: it belongs to organization ${outcome.organizationId} from exactly then; a mapping is never overwritten`,
        )
      }
      if (context.out.json)
        context.out.value({
          auth_id: options.authId,
          organization_id: organization.id,
          outcome: outcome.kind,
          from: outcome.from === 'beginning' ? null : from,
        })
      else
        context.out.line(
          `${options.authId} is ${organization.name}'s from ${from} on${outcome.kind === 'mapped' && outcome.hours > 0 ? `; ${outcome.hours} hours of usage will be rated again` : ''}`,
        )
    })
}

function addList(keys: Command, surroundings: Surroundings): void {
  keys
    .command('list')
    .description('list keys, revoked ones too; never the keys themselves')
    .option('--org <id>', 'only of this organization, by id or name')
    .action(async (options: { org?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'keys', logger: context.logger })
      const filter = options.org === undefined ? {} : { organizationId: (await organizationNamed(ledger.db, options.org)).id }
      const found = await listCredentials(ledger.db, filter)
      if (context.out.json) return context.out.value(found.map(credentialJson))
      context.out.table(
        [{ title: 'auth id' }, { title: 'key' }, { title: 'name' }, { title: 'scopes' }, { title: 'organization' }, { title: 'state' }],
        found.map((key) => [
          key.authId,
          `ask_${key.publicId}_…`,
          key.name ?? '',
          key.scopes.join(' '),
          key.organizationId,
          key.revokedAt === undefined ? 'active' : `revoked ${formatInstant(key.revokedAt)}`,
        ]),
      )
    })
}

function credentialJson({ authId, publicId, name, scopes, organizationId, createdAt, revokedAt }: Credential): Record<string, unknown> {
  return {
    auth_id: authId,
    public_id: publicId,
    name,
    scopes,
    organization_id: organizationId,
    created_at: formatInstant(createdAt),
    revoked_at: revokedAt === undefined ? undefined : formatInstant(revokedAt),
  }
}
