import type { Command } from 'commander'
import { InputError } from '@ascribe/kit'
import { addTaxRule, endTaxRule, listTaxRules, readBillingParty, setBillingParty } from '@ascribe/ledger/money'
import type { TaxRule } from '@ascribe/ledger/money'
import { countArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { actorOf, dayArgument, withActor } from '../money-arguments.ts'
import { openLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'

type PartyOptions = {
  readonly org?: string
  readonly seller?: true
  readonly name: string
  readonly address: string
  readonly country: string
  readonly taxId: string
  readonly email: string
  readonly actor?: string
}

/** `ascribe invoices party set|show`: what is printed of seller and customers. */
export function addParty(invoices: Command, surroundings: Surroundings): void {
  const party = invoices.command('party').description('what is printed of the seller and of organizations')
  withActor(party.command('set'))
    .description('set it from now on; issued invoices keep what they say')
    .option('--org <id>', 'of an organization, by id or name')
    .option('--seller', 'of the seller')
    .requiredOption('--name <name>', 'the legal name')
    .option('--address <lines>', 'from street to country; \\n begins a new line', '')
    .option('--country <code>', 'two letters, such as DE; decides which taxes apply', '')
    .option('--tax-id <id>', 'such as a VAT number', '')
    .option('--email <address>', 'where questions go', '')
    .addHelpText(
      'after',
      '\nExample:  ascribe invoices party set --seller --name "Example GmbH" --address "Street 1\\n10115 Berlin" --country DE',
    )
    .action(async (options: PartyOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const organization = await partyOf(options, async (name) => (await organizationNamed(ledger.db, name)).id)
      await setBillingParty(ledger.db, {
        ...(organization !== undefined && { organizationId: organization }),
        legalName: options.name,
        address: options.address.replaceAll('\\n', '\n'),
        country: options.country,
        taxId: options.taxId,
        email: options.email,
        by: actorOf(options, surroundings),
      })
      if (context.out.json) context.out.value({ organization_id: organization ?? null, name: options.name })
      else context.out.line(`${organization === undefined ? 'the seller' : options.org} is printed as ${options.name} from now on`)
    })
  party
    .command('show')
    .description('what would be printed now')
    .option('--org <id>', 'of an organization, by id or name')
    .option('--seller', 'of the seller')
    .action(async (options: { org?: string; seller?: true }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const organizationId = await partyOf(options, async (name) => (await organizationNamed(ledger.db, name)).id)
      const found = await readBillingParty(ledger.db, { organizationId, at: Date.now() })
      if (found === undefined) throw new InputError('Cannot show it: nothing was set', { hint: '`ascribe invoices party set` does.' })
      const { legalName: name, address, country, taxId: tax_id, email } = found
      if (context.out.json) context.out.value({ name, address: address.split('\n'), country, tax_id, email })
      else for (const line of [name, ...address.split('\n'), country, tax_id, email].filter((text) => text !== '')) context.out.line(line)
    })
}

async function partyOf(
  { org, seller }: { readonly org?: string; readonly seller?: true },
  find: (name: string) => Promise<string>,
): Promise<string | undefined> {
  if ((org === undefined) === (seller !== true)) throw new InputError('Cannot tell whom it is about: give --org ORG, or --seller')
  return org === undefined ? undefined : find(org)
}

type TaxOptions = {
  readonly name: string
  readonly rate: string
  readonly org?: string
  readonly country?: string
  readonly note: string
  readonly from?: string
  readonly actor?: string
}

/** `ascribe invoices tax add|end|list`. */
export function addTax(invoices: Command, surroundings: Surroundings): void {
  const tax = invoices.command('tax').description('the taxes on invoices')
  withActor(tax.command('add'))
    .description('add a tax; those for an organization stand in place of those for its country, these in place of those for everybody')
    .requiredOption('--name <name>', 'as it is printed, such as VAT')
    .requiredOption('--rate <percent>', 'such as 19 or 7.7; 0 prints a line of 0')
    .option('--org <id>', 'for one organization, by id or name')
    .option('--country <code>', 'for organizations of a country, two letters')
    .option('--note <text>', 'printed below, such as why nothing is due', '')
    .option('--from <day>', 'on invoices of months that end on this day or later (default: today)', dayArgument)
    .addHelpText('after', '\nExample:  ascribe invoices tax add --name "VAT" --rate 19 --country DE --from 2026-01-01')
    .action(async (options: TaxOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const rule = await addTaxRule(ledger.db, {
        name: options.name,
        ratePercent: options.rate,
        organizationId: options.org === undefined ? undefined : (await organizationNamed(ledger.db, options.org)).id,
        country: options.country,
        note: options.note,
        effectiveFrom: options.from ?? new Date().toISOString().slice(0, 10),
        by: actorOf(options, surroundings),
      })
      if (context.out.json) context.out.value(ruleJson(rule))
      else context.out.line(`${rule.id}  ${rule.name}, ${rule.ratePercent} %, from ${rule.effectiveFrom}`)
    })
  tax
    .command('end')
    .argument('<id>', 'as `invoices tax list` shows it', countArgument)
    .description('end a tax: it is not on invoices of months that end on that day or later')
    .requiredOption('--day <day>', 'the first without it', dayArgument)
    .action(async (id: number, options: { day: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      if ((await endTaxRule(ledger.db, { id: BigInt(id), day: options.day })) === 'not_found')
        throw new InputError(`Cannot end tax ${id}: there is none of that number that goes on until ${options.day}`)
      if (context.out.json) context.out.value({ id, effective_until: options.day })
      else context.out.line(`tax ${id} ends on ${options.day}`)
    })
  tax
    .command('list')
    .description('all taxes')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'invoices', logger: context.logger })
      const rules = await listTaxRules(ledger.db)
      if (context.out.json) return context.out.value(rules.map(ruleJson))
      context.out.table(
        [{ title: 'id' }, { title: 'name' }, { title: '%', align: 'right' }, { title: 'for' }, { title: 'from' }, { title: 'until' }],
        rules.map((rule) => [
          String(rule.id),
          rule.name,
          rule.ratePercent,
          rule.organizationId ?? rule.country ?? 'everybody',
          rule.effectiveFrom,
          rule.effectiveUntil ?? '–',
        ]),
      )
    })
}

function ruleJson(rule: TaxRule): object {
  return {
    id: Number(rule.id),
    name: rule.name,
    rate_percent: rule.ratePercent,
    ...(rule.organizationId !== undefined && { organization_id: rule.organizationId }),
    ...(rule.country !== undefined && { country: rule.country }),
    note: rule.note,
    effective_from: rule.effectiveFrom,
    ...(rule.effectiveUntil !== undefined && { effective_until: rule.effectiveUntil }),
  }
}
