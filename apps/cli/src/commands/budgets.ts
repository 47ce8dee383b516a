import { Option } from 'commander'
import type { Command } from 'commander'
import { BUDGET_PERIODS, BUDGET_SCOPES, EACH, TOKENS } from '@ascribe/admission'
import type { BudgetPeriod, BudgetScope } from '@ascribe/admission'
import { formatWebhookSecret, webhookSecrets } from '@ascribe/identity'
import { AscribeError, InputError } from '@ascribe/kit'
import { endBudget, listBudgets, setBudget, topUpBudget } from '@ascribe/ledger'
import type { BudgetState, SetBudgetOutcome } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import { amountOf, amountText } from '../budget-amount.ts'
import { budgetJson } from '../budget-json.ts'
import { changeRules } from '../change-rules.ts'
import { instantArgument, listArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { organizationNamed } from '../find-organization.ts'
import { openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import { serverSecretOf } from '../server-secret.ts'
import type { Surroundings } from '../surroundings.ts'

/** A rule is in the way of another one. */
class BudgetConflictError extends AscribeError {
  override readonly code = 'BUDGET_CONFLICT'
}

/** `ascribe budgets set|list|show|top-up|end|webhook-secret`. */
export function configureBudgets(root: Command, surroundings: Surroundings): void {
  root.addHelpText(
    'after',
    `
A budget is a hard cap: a request takes the most that it can use before it is sent, and is refused with 402 when that is not left.
Gateways follow a change before the command returns, while a settler runs.`,
  )
  addSet(root, surroundings)
  addList(root, surroundings)
  addShow(root, surroundings)
  addTopUp(root, surroundings)
  addEnd(root, surroundings)
  addWebhookSecret(root, surroundings)
}

type SetOptions = {
  readonly org?: string
  readonly user?: string
  readonly group?: string
  readonly key?: string
  readonly each?: BudgetScope
  readonly limit: string
  readonly unit?: string
  readonly per: BudgetPeriod
  readonly name?: string
  readonly alert?: string[]
  readonly webhook?: string
  readonly from?: number
  readonly note?: string
  readonly allowUnknown?: boolean
}

function addSet(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('set')
    .description('make a budget, or change the limit of the one that is there')
    .option('--org <id>', 'of an organization, by id or name')
    .option('--user <id>', 'of a user')
    .option('--group <id>', 'of a group')
    .option('--key <auth-id>', 'of one credential')
    .addOption(new Option('--each <scope>', 'of each one that has no budget of its own, known or not').choices([...BUDGET_SCOPES]))
    .requiredOption('--limit <amount>', 'a decimal of the currency, or a number of tokens')
    .option('--unit <unit>', `a currency, or ${TOKENS} (default: the currency of the organization, else USD)`)
    .addOption(new Option('--per <period>', 'begins anew each UTC day or month, or never').choices([...BUDGET_PERIODS]).default('month'))
    .option('--name <name>', 'what people call it; clients see it')
    .option('--alert <percents>', 'tell the webhook at these percents of the limit', listArgument)
    .option('--webhook <url>', 'whom to tell; `ascribe budgets webhook-secret URL` shows what it is signed with')
    .option('--from <instant>', 'when the limit is in force from (default: this window; a change, or prepaid: now)', instantArgument)
    .option('--note <text>', 'why; kept with the limit')
    .option('--allow-unknown', 'take an id that the directory does not know yet')
    .addHelpText(
      'after',
      `
Examples:
  ascribe budgets set --org Acme --limit 500 --per month --alert 50,80,100 --webhook https://hooks.example/ascribe
  ascribe budgets set --key tok-123 --unit tokens --limit 1000000 --per day
  ascribe budgets set --each user --limit 20`,
    )
    .action(async (options: SetOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const outcome = await changeRules(context, 'budgets', (db) => setFrom(db, options, operatorOf(surroundings)))
      const { kind, budgetId, from } = checked(outcome, options)
      if (context.out.json) return context.out.value({ outcome: kind, budget_id: budgetId, from: formatInstant(from) })
      context.out.line(`${kind === 'unchanged' ? 'that is so already' : kind}: budget ${budgetId}, in force from ${formatInstant(from)}`)
    })
}

async function setFrom(db: Database, options: SetOptions, by: string): Promise<SetBudgetOutcome> {
  const { scope, subject, currency } = await subjectOf(db, options)
  const unit = options.unit ?? currency ?? 'USD'
  return setBudget(
    db,
    {
      scope,
      subject,
      unit,
      period: options.per,
      limit: amountOf(options.limit, unit, '--limit'),
      by,
      ...(options.name !== undefined && { name: options.name }),
      ...(options.alert !== undefined && { thresholds: options.alert.map(Number) }),
      ...(options.webhook !== undefined && { webhookUrl: options.webhook }),
      ...(options.from !== undefined && { from: options.from }),
      ...(options.note !== undefined && { note: options.note }),
      ...(options.allowUnknown === true && { allowUnknown: true }),
    },
    Date.now(),
  )
}

type Found = { readonly scope: BudgetScope; readonly subject: string; readonly currency?: string }

async function subjectOf(db: Database, { org, user, group, key, each }: SetOptions): Promise<Found> {
  const given = Object.entries({ '--org': org, '--user': user, '--group': group, '--key': key, '--each': each }).filter(
    ([, value]) => value !== undefined,
  )
  if (given.length !== 1) {
    throw new InputError(`Cannot set the budget: give one of --org, --user, --group, --key and --each, not ${given.length} of them`)
  }
  if (org !== undefined) {
    const { id, currency } = await organizationNamed(db, org)
    return { scope: 'organization', subject: id, currency }
  }
  if (user !== undefined) return { scope: 'user', subject: user }
  if (group !== undefined) return { scope: 'group', subject: group }
  return key === undefined ? { scope: each ?? 'credential', subject: EACH } : { scope: 'credential', subject: key }
}

type Done = Extract<SetBudgetOutcome, { kind: 'created' | 'changed' | 'unchanged' }>

function checked(outcome: SetBudgetOutcome, options: SetOptions): Done {
  switch (outcome.kind) {
    case 'created':
    case 'changed':
    case 'unchanged':
      return outcome
    case 'unknown_subject':
      throw new InputError(
        `Cannot set the budget: nobody is known as ${options.user ?? options.group ?? options.key ?? ''}, so it would bound nothing`,
        {
          hint: 'Check the id, or say --allow-unknown if it is going to be one.',
        },
      )
    case 'other_currency':
      throw new InputError(`Cannot set the budget in ${options.unit}: the organization is billed in ${outcome.currency}`)
    case 'overlap':
      throw new BudgetConflictError(
        `Cannot set the budget: ${outcome.budgetId} bounds the same from ${formatInstant(outcome.from)} on; end it, or say --from that instant or a later one`,
      )
  }
}

function addList(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('list')
    .description('list the budgets in force or to come, with what is spent, reserved and left')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'budgets', logger: context.logger })
      const found = await listBudgets(ledger.db, Date.now())
      if (context.out.json) return context.out.value(found.map((budget) => budgetJson(budget)))
      printBudgets(context, found)
    })
}

function addShow(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('show')
    .argument('<budget-id>', 'as `budgets list` shows it')
    .description('show one budget, with all its subjects if it is one of each')
    .action(async (id: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'budgets', logger: context.logger })
      const budget = (await listBudgets(ledger.db, Date.now())).find((each) => each.id === id)
      if (budget === undefined) throw unknownBudget(id)
      if (context.out.json) return context.out.value(budgetJson(budget))
      printBudgets(context, [budget])
      if (budget.subject !== EACH) return
      context.out.table(
        [
          { title: budget.scope },
          { title: 'spent', align: 'right' },
          { title: 'reserved', align: 'right' },
          { title: 'left', align: 'right' },
        ],
        budget.standings.map(({ subject, spent, reserved, left }) => [
          subject,
          ...[spent, reserved, left].map((each) => amountText(each, budget.unit)),
        ]),
      )
    })
}

function printBudgets({ out }: Context, budgets: readonly BudgetState[]): void {
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' })
  out.table(
    [
      { title: 'budget' },
      { title: 'of' },
      { title: 'name' },
      { title: 'per' },
      right('limit'),
      right('spent'),
      right('reserved'),
      right('left'),
      { title: 'unit' },
      { title: 'until' },
    ],
    budgets.map((budget) => {
      const [standing] = budget.subject === EACH ? [] : budget.standings
      const amounts = [budget.limit, standing?.spent, standing?.reserved, standing?.left]
      return [
        budget.id,
        budget.subject === EACH ? `each ${budget.scope}` : `${budget.scope} ${budget.subject}`,
        budget.name ?? '',
        budget.period,
        ...amounts.map((amount) => (amount === undefined ? '–' : amountText(amount, budget.unit))),
        budget.unit,
        budget.until === undefined ? '' : formatInstant(budget.until),
      ]
    }),
  )
}

function addTopUp(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('top-up')
    .argument('<budget-id>', 'of a prepaid budget')
    .requiredOption('--amount <amount>', 'what to add: a decimal of the currency, or a number of tokens')
    .option('--note <text>', 'why; kept with the limit')
    .description('add to a prepaid budget, from now on')
    .addHelpText('after', '\nExample:  ascribe budgets top-up 64d6755c-ca79-49d1-89ed-2baa8a923e5e --amount 10')
    .action(async (budgetId: string, options: { amount: string; note?: string }, command: Command) => {
      const context = contextOf(command, surroundings)
      const { limit, unit } = await changeRules(context, 'budgets', async (db) => {
        const budget = (await listBudgets(db, Date.now())).find(({ id }) => id === budgetId)
        if (budget === undefined) throw unknownBudget(budgetId)
        const amount = amountOf(options.amount, budget.unit, '--amount')
        const note = options.note === undefined ? {} : { note: options.note }
        const outcome = await topUpBudget(db, { budgetId, amount, by: operatorOf(surroundings), ...note }, Date.now())
        if (outcome.kind !== 'topped_up') throw new InputError(`Cannot top up ${budgetId}: it begins anew each ${budget.period}`)
        return { limit: amountText(outcome.limit, budget.unit), unit: budget.unit }
      })
      if (context.out.json) context.out.value({ budget_id: budgetId, limit, unit })
      else context.out.line(`the limit of ${budgetId} is ${limit} ${unit} now`)
    })
}

function addEnd(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('end')
    .alias('remove')
    .argument('<budget-id>', 'as `budgets list` shows it')
    .option('--at <instant>', 'default: now', instantArgument)
    .description('end a budget; what it counted stays')
    .action(async (budgetId: string, options: { at?: number }, command: Command) => {
      const context = contextOf(command, surroundings)
      const input = { budgetId, by: operatorOf(surroundings), ...(options.at !== undefined && { at: options.at }) }
      const outcome = await changeRules(context, 'budgets', (db) => endBudget(db, input, Date.now()))
      if (outcome === 'unknown_budget') throw unknownBudget(budgetId)
      if (context.out.json) context.out.value({ budget_id: budgetId, outcome })
      else context.out.line(outcome === 'ended' ? `ended ${budgetId}` : `${budgetId} has ended already`)
    })
}

function addWebhookSecret(budgets: Command, surroundings: Surroundings): void {
  budgets
    .command('webhook-secret')
    .argument('<url>', 'of the webhook, exactly as the budget has it')
    .description('show what alerts to a URL are signed with; derived from the server secret and stored nowhere')
    .action((url: string, _options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const secrets = webhookSecrets(serverSecretOf(context), url).map(formatWebhookSecret)
      if (context.out.json) context.out.value({ url, secrets })
      else for (const secret of secrets) context.out.line(secret)
    })
}

function unknownBudget(id: string): InputError {
  return new InputError(`Cannot find the budget ${id}`, { hint: '`ascribe budgets list` shows all of them.' })
}
