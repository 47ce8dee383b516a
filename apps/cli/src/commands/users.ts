import type { Command } from 'commander'
import { Option } from 'commander'
import { InputError } from '@ascribe/kit'
import { endEntry, streamUsers } from '@ascribe/ledger'
import type { DirectoryUser } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { contextOf } from '../command.ts'
import { changeJson, printChanges, saveEntry } from '../directory-changes.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import type { ListShape } from '../list-output.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe users add|list|end`. */
export function configureUsers(users: Command, surroundings: Surroundings): void {
  addAdd(users, surroundings)
  addList(users, surroundings)
  addEnd(users, surroundings)
}

type AddOptions = { id: string; name?: string; email?: string; org?: string[]; role?: string; group?: string[] }

function addAdd(users: Command, surroundings: Surroundings): void {
  users
    .command('add')
    .description('add a user, or say more of one: what is not given stays as it is')
    .requiredOption('--id <id>', 'the id that your platform has for the user')
    .option('--name <name>', 'what people call the user')
    .option('--email <address>', 'where the user gets mail')
    .addOption(new Option('--org <id...>', 'organizations that the user is a member of, by id or name'))
    .addOption(
      new Option('--role <role>', 'what the user may do in these organizations: a viewer reads, an admin changes as well').choices([
        'admin',
        'viewer',
      ]),
    )
    .addOption(new Option('--group <id...>', 'groups that the user is a member of'))
    .addHelpText('after', '\nExample:  ascribe users add --id ann --name "Ann Lee" --org Acme --role admin --group research')
    .action(async (options: AddOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const changes = await changeDirectory(context, 'users', async (db) => {
        const organizations = options.org === undefined ? undefined : await idsOf(db, options.org)
        const { id, name, email, role, group: groups } = options
        if (role !== undefined && organizations === undefined)
          throw new InputError('Cannot give the role: it is one in an organization, and none is named', {
            hint: 'Say in which: --org Acme.',
          })
        const fields = {
          id,
          ...(name !== undefined && { name }),
          ...(email !== undefined && { email }),
          ...(organizations !== undefined && { organizations }),
          ...(groups !== undefined && { groups }),
          ...(role !== undefined && { role }),
        }
        return saveEntry(db, { section: 'users', fields, recordedBy: operatorOf(surroundings) })
      })
      if (context.out.json) context.out.value({ id: options.id, changes: changes.map(changeJson) })
      else printChanges(context.out, changes)
    })
}

async function idsOf(db: Database, names: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = []
  for (const name of names) ids.push((await organizationNamed(db, name)).id)
  return ids
}

const SHAPE: ListShape<DirectoryUser> = {
  columns: [{ title: 'id' }, { title: 'name' }, { title: 'email' }, { title: 'organizations' }, { title: 'groups' }],
  row: ({ id, name, email, organizationIds, roles = {}, groupIds }) => [
    id,
    name ?? '',
    email ?? '',
    organizationIds.map((each) => (roles[each] === undefined ? each : `${each} (${roles[each]})`)).join(' '),
    groupIds.join(' '),
  ],
  json: ({ id, name, email, organizationIds, roles, groupIds }) => ({
    id,
    name,
    email,
    organizations: organizationIds,
    ...(roles !== undefined && { roles }),
    groups: groupIds,
  }),
}

function addList(users: Command, surroundings: Surroundings): void {
  users
    .command('list')
    .description('list users by id, with the organizations and groups that they are members of')
    .option('--org <id>', 'only members of this organization, by id or name')
    .option('--group <id>', 'only members of this group')
    .action(async (options: { org?: string; group?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'users', logger: context.logger })
      const organization = options.org === undefined ? undefined : await organizationNamed(ledger.db, options.org)
      const filter = {
        ...(organization !== undefined && { organizationId: organization.id }),
        ...(options.group !== undefined && { groupId: options.group }),
      }
      await writeList(context.out, streamUsers(ledger.db, filter), SHAPE)
    })
}

function addEnd(users: Command, surroundings: Surroundings): void {
  addEndCommand(users, surroundings, 'user')
}

/** `end ID` for users, groups and resources alike. */
export function addEndCommand(parent: Command, surroundings: Surroundings, kind: 'user' | 'group' | 'resource'): void {
  parent
    .command('end')
    .argument('<id>', `of the ${kind}`)
    .description(`say that there is no such ${kind} any more, from now on; history and usage stay`)
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const changes = await changeDirectory(context, `${kind}s`, (db) => endEntry(db, { kind, id, recordedBy: operatorOf(surroundings) }))
      if (changes.length === 0)
        throw new InputError(`Cannot end ${kind} "${id}": there is none`, { hint: `\`ascribe ${kind}s list\` shows all of them.` })
      if (context.out.json) context.out.value({ id, changes: changes.map(changeJson) })
      else printChanges(context.out, changes)
    })
}
