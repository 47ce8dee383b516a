import { setTimeout as delay } from 'node:timers/promises'
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { ABORT_POLICIES, KEY_POLL_MS, mergeTerms } from '@ascribe/identity'
import type { AbortPolicy, Terms } from '@ascribe/identity'
import { InputError, systemClock } from '@ascribe/kit'
import { INSTALLATION_CHAIN, TERMS_MAX, createTrail, endTerms, readTerms, readTermsOf, setTerms } from '@ascribe/ledger'
import type { AuditTerms, TermsChange, TermsOf, Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { byteSize, durationMs } from '@ascribe/service'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { organizationNamed } from '../find-organization.ts'
import { changeDirectory, openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'
import { termsJson, termsText } from '../terms-text.ts'
import { cliActor } from './audit-erase.ts'

type Whose = { readonly org?: string; readonly group?: string; readonly allowUnknown?: true }
type Said = {
  readonly abort?: AbortPolicy | null
  readonly drainTime?: number | null
  readonly drainSize?: number | null
  readonly drainTokens?: number | null
  readonly maxConcurrent?: number | null
  readonly bodyLog?: number | null
}
type TermsOptions = Whose & Said & { readonly clear?: true }

/** Gateways look at the snapshot this often, and reading a large one takes them as long again. */
const SEEN_MS = 2 * KEY_POLL_MS

const HELP = `
What becomes of a reply whose client has left:
  drain     the engine is read on for its usage, within bounds of time, size and tokens (the settings gateway.drain_*)
  cancel    the engine is cut off at once; what passed is billed, by running counts or an estimate
  estimate  the same, and a request without any reply is billed for its prompt, estimated

"default" takes one term back: the group's, the organization's or the installation's then holds. Every change stands in
\`ascribe directory history auth-id AUTH_ID\` and in the audit trail. Gateways follow within a second.

Examples:  ascribe keys terms AUTH_ID                                    what holds now
           ascribe keys terms AUTH_ID --abort cancel --max-concurrent 4
           ascribe keys terms --org Acme --drain-time 30s --drain-tokens 50000
           ascribe keys terms AUTH_ID --clear`

/** `ascribe keys terms`. */
export function addTerms(keys: Command, surroundings: Surroundings): void {
  keys
    .command('terms')
    .argument('[auth-id]', 'of the key, or one that an edge names')
    .description('on what terms a credential is served: what becomes of abandoned requests, and how many at once')
    .option('--org <id>', 'of each credential of an organization that has no terms of its own; by id or name')
    .option('--group <id>', 'of each credential of a group that has none of its own')
    .option('--abort <policy>', `one of ${ABORT_POLICIES.join(', ')}`, orDefault(policyArgument))
    .option('--drain-time <duration>', 'how long an engine is read on: 0, 500ms, 30s; at most 1h', orDefault(reader(durationMs())))
    .option('--drain-size <size>', 'how much of its reply: 64KiB, 4MiB; at most 1GiB', orDefault(reader(byteSize())))
    .option('--drain-tokens <n>', 'how many tokens of a stream', orDefault(wholeArgument))
    .option('--max-concurrent <n>', 'requests at once, of one credential in one gateway process', orDefault(wholeArgument))
    .option('--body-log <share>', 'of how many requests bodies are kept (body_log): 0, 0.5%, 100%', orDefault(shareArgument))
    .option('--clear', 'no terms of its own any more')
    .option('--allow-unknown', 'take an auth id or a group that the directory does not know yet')
    .addHelpText('after', HELP)
    .action(async (authId: string | undefined, options: TermsOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const change = changeOf(options)
      if (options.clear === true && change !== undefined) throw new InputError('Cannot clear terms and set them at once')
      if (options.clear !== true && change === undefined) return show(context, authId, options)
      const { of, outcome } = await changeDirectory(context, 'keys', async (db) => {
        const found = await subjectOf(db, authId, options)
        await using trail = createTrail({ db, signer: auditSignerOf(context), logger: context.logger })
        const audit = auditor(trail, surroundings, { of: found, change })
        const recordedBy = operatorOf(surroundings)
        const done =
          change === undefined
            ? await endTerms(db, { ...found, recordedBy, audit })
            : await setTerms(db, { ...found, change, recordedBy, audit, allowUnknown: options.allowUnknown === true })
        return { of: found, outcome: done }
      })
      refuse(of, outcome)
      // When this returns, gateways on this machine know it.
      if (outcome !== 'unchanged') await delay(SEEN_MS)
      if (context.out.json) return context.out.value({ outcome, ...of })
      context.out.line(outcome === 'unchanged' ? 'that is so already' : `${outcome}: terms of ${of.scope} ${of.subject}`)
    })
}

function refuse({ scope, subject }: TermsOf, outcome: string): void {
  if (outcome === 'unknown_terms') throw new InputError(`Cannot clear the terms of ${scope} ${subject}: there are none`)
  if (outcome === 'too_many')
    throw new InputError(`Cannot set the terms: ${TERMS_MAX} have some already, and every gateway reads all of them`, {
      hint: 'Say it of the organization or the group instead.',
    })
  if (outcome === 'unknown_subject')
    throw new InputError(`Cannot set the terms: nobody is known as ${subject}`, {
      hint: 'Check the id, or say --allow-unknown if it is going to be one.',
    })
}

/** The line of the log that the change belongs to. Ids of the platform may be mail addresses: they are sealed. */
function auditor(
  trail: Pick<Trail, 'appendIn'>,
  surroundings: Surroundings,
  { of, change }: { readonly of: TermsOf; readonly change: TermsChange | undefined },
): AuditTerms<string> {
  return (tx, outcome, organizationId) => {
    const said = Object.fromEntries(Object.entries(change ?? {}).filter(([, value]) => value !== undefined))
    const detail = { change: change === undefined ? 'terms_cleared' : 'terms_set', scope: of.scope, outcome, ...said }
    return trail.appendIn(tx, [
      {
        chain: organizationId ?? INSTALLATION_CHAIN,
        kind: 'admin',
        at: systemClock(),
        actor: cliActor(surroundings),
        detail,
        personal: { subject: of.subject },
      },
    ])
  }
}

async function show(context: Context, authId: string | undefined, options: Whose): Promise<void> {
  await using ledger = await openLedger(context, { name: 'keys', logger: context.logger, max: 2 })
  const of = await subjectOf(ledger.db, authId, options)
  const said =
    of.scope === 'credential'
      ? await readTermsOf(ledger.db, of.subject)
      : (await readTerms(ledger.db)).filter(({ scope, subject }) => scope === of.scope && subject === of.subject)
  const { abort, drain_time: drainMs, drain_size: drainBytes, drain_tokens: drainTokens } = context.config.gateway
  const installation: Terms = { abort, drainMs, drainBytes, drainTokens }
  if (context.out.json) {
    const own = said.map(({ scope, subject, ...terms }) => ({ scope, subject, ...termsJson(terms) }))
    return context.out.value({ said: own, in_force: termsJson(mergeTerms([...said, installation])) })
  }
  context.out.table(
    [{ title: 'of' }, { title: 'terms' }],
    [
      ...said.map(({ scope, subject, ...terms }) => [`${scope} ${subject}`, termsText(terms)]),
      ['the installation', termsText(installation)],
      ['in force', termsText(mergeTerms([...said, installation]))],
    ],
  )
}

async function subjectOf(db: Database, authId: string | undefined, { org, group }: Whose): Promise<TermsOf> {
  if ([authId, org, group].filter((value) => value !== undefined).length !== 1)
    throw new InputError('Cannot tell whose terms are meant: give one of AUTH_ID, --org and --group')
  if (org !== undefined) return { scope: 'organization', subject: (await organizationNamed(db, org)).id }
  return group === undefined ? { scope: 'credential', subject: authId ?? '' } : { scope: 'group', subject: group }
}

function changeOf({ abort, drainTime, drainSize, drainTokens, maxConcurrent, bodyLog }: Said): TermsChange | undefined {
  const change = {
    ...(abort !== undefined && { abort }),
    ...(drainTime !== undefined && { drainMs: drainTime }),
    ...(drainSize !== undefined && { drainBytes: drainSize }),
    ...(drainTokens !== undefined && { drainTokens }),
    ...(maxConcurrent !== undefined && { maxConcurrent }),
    ...(bodyLog !== undefined && { bodySample: bodyLog }),
  }
  return Object.keys(change).length === 0 ? undefined : change
}

/** `default` takes it back. */
function orDefault<Value>(read: (text: string) => Value): (text: string) => Value | null {
  return (text) => (text === 'default' ? null : read(text))
}

function reader(schema: ReturnType<typeof durationMs>): (text: string) => number {
  return (text) => {
    const read = schema.safeParse(text)
    if (!read.success) throw new InvalidArgumentError(`It ${read.error.issues[0]?.message ?? 'cannot be read'}.`)
    return read.data
  }
}

function policyArgument(text: string): AbortPolicy {
  const policy = ABORT_POLICIES.find((each) => each === text)
  if (policy === undefined) throw new InvalidArgumentError(`Write one of ${ABORT_POLICIES.join(', ')}, or default.`)
  return policy
}

/** A percentage as parts of a million. */
function shareArgument(text: string): number {
  const [, percent] = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text === '0' ? '0%' : text) ?? []
  if (percent === undefined || Number(percent) > 100)
    throw new InvalidArgumentError('Write a percentage from 0% to 100%, with at most four places, or default.')
  return Math.round(Number(percent) * 10_000)
}

function wholeArgument(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Write a whole number, or default.')
  return Number(text)
}
