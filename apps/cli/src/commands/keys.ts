import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { KEY_POLL_MS, SCOPES } from '@ascribe/identity'
import type { Scope } from '@ascribe/identity'
import { InputError } from '@ascribe/kit'
import { readTerms, revokeCredential, revokeSecret, streamCredentials } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { durationArgument, instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { createKey, rotateKey } from '../make-key.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'
import { writeList } from '../list-output.ts'
import { addMap } from './keys-map.ts'
import { addTerms } from './keys-terms.ts'
import { credentialShape } from './keys-shape.ts'

/** Gateways look at the snapshot this often, and reading a large one takes them as long again. */
const SEEN_MS = 2 * KEY_POLL_MS

/** `ascribe keys create|rotate|revoke|map|terms|list`. */
export function configureKeys(root: Command, surroundings: Surroundings): void {
  const keys = root
  addCreate(keys, surroundings)
  addRotate(keys, surroundings)
  addRevoke(keys, surroundings)
  addMap(keys, surroundings)
  addTerms(keys, surroundings)
  addList(keys, surroundings)
}

type ExpiryOptions = { readonly expiresAt?: number; readonly expiresIn?: number }

function addExpiry(command: Command): Command {
  return command
    .addOption(new Option('--expires-at <instant>', 'when it ends').argParser(instantArgument).conflicts('expiresIn'))
    .addOption(new Option('--expires-in <duration>', 'when it ends, from now: 90d, 24h').argParser(durationArgument))
}

/** @throws {InputError} */
function expiryOf({ expiresAt, expiresIn }: ExpiryOptions): number | undefined {
  const at = expiresIn === undefined ? expiresAt : Date.now() + expiresIn
  if (at !== undefined && at <= Date.now()) throw new InputError(`Cannot make a key that ended at ${formatInstant(at)}, before it was made`)
  return at
}

type CreateOptions = ExpiryOptions & { org: string; name?: string; scope: Scope[]; user?: string; group?: string }

function addCreate(keys: Command, surroundings: Surroundings): void {
  addExpiry(
    keys
      .command('create')
      .description('make an API key; it is shown once')
      .requiredOption('--org <id>', 'whose key it is, by id or name')
      .option('--name <name>', 'what people call it')
      .option('--user <id>', 'who uses it, by the id of your platform')
      .option('--group <id>', 'in which group of the organization')
      .addOption(new Option('--scope <scope...>', 'what it may do').choices([...SCOPES]).default(['inference'])),
  )
    .addHelpText(
      'after',
      `
Examples:  ascribe keys create --org Acme --scope inference billing:read
           ascribe keys create --org Acme --user ann --expires-in 90d`,
    )
    .action(async (options: CreateOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const expiresAt = expiryOf(options)
      const { authId, key } = await changeDirectory(context, 'keys', async (db) => {
        const organization = await organizationNamed(db, options.org)
        return createKey(context, db, {
          organizationId: organization.id,
          scopes: options.scope,
          recordedBy: operatorOf(surroundings),
          ...(options.name !== undefined && { name: options.name }),
          ...(options.user !== undefined && { userId: options.user }),
          ...(options.group !== undefined && { groupId: options.group }),
          ...(expiresAt !== undefined && { expiresAt }),
        })
      })
      if (context.out.json)
        return context.out.value({ auth_id: authId, key, ...(expiresAt !== undefined && { expires_at: formatInstant(expiresAt) }) })
      context.out.line(key)
      const until = expiresAt === undefined ? '' : ` It ends at ${formatInstant(expiresAt)}.`
      context.out.note(`This key is shown once and stored nowhere. Its auth id is ${authId}.${until}`)
    })
}

/** Long enough for every client to take the new key in a working day, short enough to be seen through. */
const OVERLAP_MS = 24 * 3_600_000

type RotateOptions = ExpiryOptions & { overlap: number; expiry: boolean }

function addRotate(keys: Command, surroundings: Surroundings): void {
  addExpiry(
    keys
      .command('rotate')
      .argument('<auth-id>', 'of the key')
      .description('make a new key for the same auth id; the old one works on until a stated time')
      .addOption(
        new Option('--overlap <duration>', 'how long the old key works on').argParser(durationArgument).default(OVERLAP_MS, '24h'),
      ),
  )
    .option('--no-expiry', 'the new key has no end (default: it lives as long as the old one was meant to)')
    .addHelpText(
      'after',
      `
Examples:  ascribe keys rotate AUTH_ID                   both work for 24 hours
           ascribe keys rotate AUTH_ID --overlap 0       the old one stops at once: it leaked`,
    )
    .action(async (authId: string, options: RotateOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const expiresAt = options.expiry ? expiryOf(options) : 'never'
      const rotated = await changeDirectory(context, 'keys', (db) =>
        rotateKey(context, db, {
          authId,
          overlapMs: options.overlap,
          recordedBy: operatorOf(surroundings),
          ...(expiresAt !== undefined && { expiresAt }),
        }),
      )
      // When this returns, what ended works nowhere.
      if (options.overlap === 0) await delay(SEEN_MS)
      const old = rotated.oldEndsAt === undefined ? undefined : formatInstant(rotated.oldEndsAt)
      const end = rotated.expiresAt === undefined ? undefined : formatInstant(rotated.expiresAt)
      if (context.out.json) return context.out.value({ auth_id: authId, key: rotated.key, old_key_ends_at: old, expires_at: end })
      context.out.line(rotated.key)
      context.out.note(
        `This key is shown once and stored nowhere. ${old === undefined ? 'No old key works any more.' : `The old one works until ${old}.`}${end === undefined ? '' : ` The new one ends at ${end}.`}`,
      )
    })
}

function addRevoke(keys: Command, surroundings: Surroundings): void {
  keys
    .command('revoke')
    .argument('<auth-id>', 'of the key')
    .option('--key <public-id>', 'only this one of its keys; `ascribe keys list --json` shows them')
    .description('end a key, for ever; what it used stays attributed')
    .addHelpText('after', '\nExample:  ascribe keys revoke AUTH_ID')
    .action(async (authId: string, options: { key?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const publicId = options.key === undefined ? undefined : (/^ask_([0-9a-z]{12})_/.exec(options.key)?.[1] ?? options.key)
      const outcome = await changeDirectory(context, 'keys', (db) =>
        publicId === undefined
          ? revokeCredential(db, authId)
          : revokeSecret(db, { authId, publicId, recordedBy: operatorOf(surroundings) }),
      )
      // When this returns, the key works nowhere.
      await delay(SEEN_MS)
      if (outcome === 'unknown') {
        const what = publicId === undefined ? 'it is no key of ours' : `${publicId} is none of its keys`
        throw new InputError(`Cannot revoke ${authId}: ${what}`, { hint: '`ascribe keys list` shows all of them.' })
      }
      if (context.out.json) context.out.value({ auth_id: authId, ...(publicId !== undefined && { public_id: publicId }), outcome })
      else context.out.line(outcome === 'revoked' ? `revoked ${publicId ?? authId}` : `${publicId ?? authId} was ended already`)
    })
}

function addList(keys: Command, surroundings: Surroundings): void {
  keys
    .command('list')
    .description('list keys, ended ones too, with their last use; never the keys themselves')
    .option('--org <id>', 'only of this organization, by id or name')
    .addHelpText(
      'after',
      '\nLast use is the admission of the latest rated request. With --json each key has its secrets, with when and why they end.',
    )
    .action(async (options: { org?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'keys', logger: context.logger })
      const filter = options.org === undefined ? {} : { organizationId: (await organizationNamed(ledger.db, options.org)).id }
      await writeList(
        context.out,
        streamCredentials(ledger.db, filter),
        credentialShape(serverSecretOf(context), await readTerms(ledger.db)),
      )
    })
}
