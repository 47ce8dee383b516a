import { Option } from 'commander'
import type { Command } from 'commander'
import { EACH, LIMIT_SCOPES } from '@ascribe/admission'
import type { LimitScope } from '@ascribe/admission'
import { InputError } from '@ascribe/kit'
import { endRateLimit, listRateLimits, setRateLimit } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import { countArgument } from '../arguments.ts'
import { changeRules } from '../change-rules.ts'
import { contextOf } from '../command.ts'
import { organizationNamed } from '../find-organization.ts'
import { openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

type Whose = { readonly org?: string; readonly key?: string; readonly each?: LimitScope }
type SetOptions = Whose & { readonly rpm?: number; readonly tpm?: number; readonly allowUnknown?: boolean }

/** `ascribe limits set|list|remove`. */
export function configureLimits(root: Command, surroundings: Surroundings): void {
  root.addHelpText(
    'after',
    `
Over a limit a request is refused with 429 and Retry-After. Replies carry x-ratelimit-* headers, as OpenAI's clients read them. Each live
gateway has an equal share of a limit. Gateways follow a change before the command returns, while a settler runs.`,
  )
  const set = whose(root.command('set').description('set the rate limit of a key or an organization; replaces the one that is there'))
  set
    .option('--rpm <n>', 'requests a minute', countArgument)
    .option('--tpm <n>', 'tokens a minute, in and out', countArgument)
    .option('--allow-unknown', 'take an auth id that the directory does not know yet')
    .addHelpText('after', '\nExample:  ascribe limits set --org Acme --rpm 600 --tpm 200000')
    .action(async (options: SetOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const { scope, subject, outcome } = await changeRules(context, 'limits', async (db) => {
        const found = await subjectOf(db, options)
        const limit = {
          ...found,
          by: operatorOf(surroundings),
          ...(options.rpm !== undefined && { requestsPerMinute: options.rpm }),
          ...(options.tpm !== undefined && { tokensPerMinute: options.tpm }),
          ...(options.allowUnknown === true && { allowUnknown: true }),
        }
        return { ...found, outcome: await setRateLimit(db, limit) }
      })
      if (outcome.kind === 'unknown_subject') {
        throw new InputError(`Cannot set the rate limit: nobody is known as ${subject}, so it would limit nothing`, {
          hint: 'Check the id, or say --allow-unknown if it is going to be one.',
        })
      }
      if (context.out.json) context.out.value({ outcome: outcome.kind, scope, subject })
      else context.out.line(`${outcome.kind === 'unchanged' ? 'that is so already' : outcome.kind}: limit of ${named(scope, subject)}`)
    })
  addList(root, surroundings)
  whose(root.command('remove').description('take a rate limit away')).action(async (options: Whose, command: Command) => {
    const context = contextOf(command, surroundings)
    const { scope, subject, outcome } = await changeRules(context, 'limits', async (db) => {
      const found = await subjectOf(db, options)
      return { ...found, outcome: await endRateLimit(db, { ...found, by: operatorOf(surroundings) }) }
    })
    if (outcome === 'unknown_limit') throw new InputError(`Cannot remove the limit of ${named(scope, subject)}: there is none`)
    if (context.out.json) context.out.value({ outcome: 'removed', scope, subject })
    else context.out.line(`removed the limit of ${named(scope, subject)}`)
  })
}

function addList(limits: Command, surroundings: Surroundings): void {
  limits
    .command('list')
    .description('list the rate limits in force')
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      await using ledger = await openLedger(context, { name: 'limits', logger: context.logger })
      const found = await listRateLimits(ledger.db)
      if (context.out.json) {
        return context.out.value(
          found.map(({ scope, subject, requestsPerMinute, tokensPerMinute, createdAt, createdBy }) => ({
            scope,
            subject,
            requests_per_minute: requestsPerMinute,
            tokens_per_minute: tokensPerMinute,
            created_at: formatInstant(createdAt),
            created_by: createdBy,
          })),
        )
      }
      context.out.table(
        [
          { title: 'of' },
          { title: 'requests/min', align: 'right' },
          { title: 'tokens/min', align: 'right' },
          { title: 'set' },
          { title: 'by' },
        ],
        found.map(({ scope, subject, requestsPerMinute, tokensPerMinute, createdAt, createdBy }) => [
          named(scope, subject),
          String(requestsPerMinute ?? '–'),
          String(tokensPerMinute ?? '–'),
          formatInstant(createdAt),
          createdBy,
        ]),
      )
    })
}

function whose(command: Command): Command {
  return command
    .option('--org <id>', 'of an organization, by id or name')
    .option('--key <auth-id>', 'of one credential')
    .addOption(new Option('--each <scope>', 'of each one that has no limit of its own').choices([...LIMIT_SCOPES]))
}

async function subjectOf(db: Database, { org, key, each }: Whose): Promise<{ readonly scope: LimitScope; readonly subject: string }> {
  const given = [org, key, each].filter((value) => value !== undefined).length
  if (given !== 1) throw new InputError(`Cannot tell whose limit is meant: give one of --org, --key and --each, not ${given} of them`)
  if (org !== undefined) return { scope: 'organization', subject: (await organizationNamed(db, org)).id }
  return key === undefined ? { scope: each ?? 'credential', subject: EACH } : { scope: 'credential', subject: key }
}

function named(scope: string, subject: string): string {
  return subject === EACH ? `each ${scope}` : `${scope} ${subject}`
}
