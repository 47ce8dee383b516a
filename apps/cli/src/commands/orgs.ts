import type { Command } from 'commander'
import { Option } from 'commander'
import { InputError } from '@ascribe/kit'
import {
  createOrganization,
  endOrganization,
  listOrganizations,
  moveOrganization,
  renameOrganization,
  streamOrganizations,
} from '@ascribe/ledger'
import type { Organization } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { instantArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { DirectoryConflictError } from '../errors.ts'
import { organizationNamed } from '../find-organization.ts'
import { writeList } from '../list-output.ts'
import type { ListShape } from '../list-output.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

/** `ascribe orgs create|list|show|rename|move|end`. */
export function configureOrgs(orgs: Command, surroundings: Surroundings): void {
  addCreate(orgs, surroundings)
  addList(orgs, surroundings)
  addShow(orgs, surroundings)
  addRename(orgs, surroundings)
  addMove(orgs, surroundings)
  addEnd(orgs, surroundings)
}

function addCreate(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('create')
    .description('make an organization')
    .requiredOption('--name <name>', 'what people call it')
    .option('--currency <code>', 'what it is billed in, for ever', 'USD')
    .option('--parent <id>', 'the organization that it stands under, by id or name')
    .option('--id <uuid>', 'its id on your platform (default: a new one)')
    .addHelpText(
      'after',
      `
Examples:  ascribe orgs create --name "Acme Corp"
           ascribe orgs create --name "Acme Research" --parent "Acme Corp" --currency EUR`,
    )
    .action(async (options: { name: string; currency: string; parent?: string; id?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const made = await changeDirectory(context, 'orgs', async (db) => {
        const parent = options.parent === undefined ? undefined : await organizationNamed(db, options.parent)
        return createOrganization(db, {
          name: options.name,
          currency: options.currency,
          recordedBy: operatorOf(surroundings),
          ...(options.id !== undefined && { id: options.id }),
          ...(parent !== undefined && { parentId: parent.id }),
        })
      })
      if (context.out.json) {
        const { id, name, currency, parentId } = made
        context.out.value({ id, name, currency, parent_id: parentId })
      } else context.out.line(`${made.id}  ${made.name}`)
    })
}

const SHAPE: ListShape<Organization> = {
  columns: [{ title: 'id' }, { title: 'name' }, { title: 'currency' }, { title: 'created' }, { title: 'under' }],
  row: ({ id, name, currency, createdAt, parentId, ended }) => [
    id,
    ended === true ? `${name} (ended)` : name,
    currency,
    formatInstant(createdAt),
    parentId ?? '',
  ],
  json: ({ id, name, currency, createdAt, parentId, ended }) => ({
    id,
    name,
    currency,
    created_at: formatInstant(createdAt),
    parent_id: parentId,
    ended,
  }),
}

function addList(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('list')
    .description('list all organizations, oldest first')
    .option('--parent <id>', 'only those directly under this one, by id or name')
    .action(async (options: { parent?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'orgs', logger: context.logger })
      const filter = options.parent === undefined ? {} : { parentId: (await organizationNamed(ledger.db, options.parent)).id }
      await writeList(context.out, streamOrganizations(ledger.db, filter), SHAPE)
    })
}

function addShow(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('show')
    .argument('<organization>', 'by id or name')
    .description('show an organization, what it stands under, and what stands under it')
    .addHelpText('after', '\nWhat it was called before: `ascribe directory history organization ID`')
    .action(async (idOrName: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'orgs', logger: context.logger })
      const found = await organizationNamed(ledger.db, idOrName)
      const children = await listOrganizations(ledger.db, { parentId: found.id })
      if (context.out.json) {
        return context.out.value({ ...(SHAPE.json(found) as object), children: children.map(({ id, name }) => ({ id, name })) })
      }
      await writeList(context.out, [found], SHAPE)
      for (const { id, name } of children) context.out.line(`  under it: ${id}  ${name}`)
    })
}

function addRename(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('rename')
    .argument('<organization>', 'by id or name')
    .description('call an organization by another name from now on')
    .requiredOption('--name <name>', 'the new name')
    .addHelpText('after', '\nExample:  ascribe orgs rename "Acme Corp" --name "Apex Corp"')
    .action(async (idOrName: string, options: { name: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { found, outcome } = await changeDirectory(context, 'orgs', async (db) => {
        const organization = await organizationNamed(db, idOrName)
        const { id } = organization
        return {
          found: organization,
          outcome: await renameOrganization(db, { id, name: options.name, recordedBy: operatorOf(surroundings) }),
        }
      })
      if (context.out.json) context.out.value({ id: found.id, name: options.name, outcome })
      else context.out.line(outcome === 'renamed' ? `${found.name} is ${options.name} now` : `it is called ${options.name} already`)
    })
}

type MoveOptions = { parent?: string; top?: boolean; from?: number }

function addMove(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('move')
    .argument('<organization>', 'by id or name')
    .description('put an organization under another one, or under none')
    .addOption(new Option('--parent <id>', 'the organization that it is to stand under, by id or name').conflicts('top'))
    .option('--top', 'under none')
    .option('--from <instant>', 'from when on, also one to come (default: now)', instantArgument)
    .addHelpText(
      'after',
      `
Examples:  ascribe orgs move "Acme Research" --parent "Acme Corp"
           ascribe orgs move "Acme Research" --top --from 2027-01-01`,
    )
    .action(async (idOrName: string, options: MoveOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { parent, from } = options
      if (parent === undefined && options.top !== true) throw new InputError('Cannot move it: give --parent or --top')
      const { found, above, outcome } = await changeDirectory(context, 'orgs', async (db) => {
        const organization = await organizationNamed(db, idOrName)
        const wanted = parent === undefined ? undefined : await organizationNamed(db, parent)
        const move = { id: organization.id, parentId: wanted?.id ?? null, recordedBy: operatorOf(surroundings) }
        return { found: organization, above: wanted, outcome: await moveOrganization(db, { ...move, ...(from !== undefined && { from }) }) }
      })
      if (outcome === 'circle')
        throw new DirectoryConflictError(`Cannot move ${found.name} under ${above?.name}: it would stand under itself`)
      if (context.out.json) return context.out.value({ id: found.id, parent_id: above?.id ?? null, outcome })
      const place = above === undefined ? 'under none' : `under ${above.name}`
      context.out.line(`${found.name} ${outcome === 'unchanged' ? 'stands' : 'stands now'} ${place}`)
    })
}

function addEnd(orgs: Command, surroundings: Surroundings): void {
  orgs
    .command('end')
    .argument('<organization>', 'by id or name')
    .description('say that an organization is no more: its keys let nobody in; history, usage and bills stay')
    .option('--undo', 'it is there again, with the keys that it had')
    .addHelpText(
      'after',
      `
What trusted headers name as its usage is still recorded, and billed to it: map these auth ids to somebody else, or stop them at the edge.

Examples:  ascribe orgs end "Acme Research"
           ascribe orgs end "Acme Research" --undo`,
    )
    .action(async (idOrName: string, options: { undo?: boolean }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { found, outcome } = await changeDirectory(context, 'orgs', async (db) => {
        const organization = await organizationNamed(db, idOrName)
        const change = { id: organization.id, undo: options.undo === true, recordedBy: operatorOf(surroundings) }
        return { found: organization, outcome: await endOrganization(db, change) }
      })
      if (context.out.json) return context.out.value({ id: found.id, outcome })
      const word = options.undo === true ? 'is there again' : 'has ended'
      context.out.line(`${found.name} ${word}${outcome === 'unchanged' ? ' already' : ''}`)
    })
}
