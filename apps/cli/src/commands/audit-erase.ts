import type { Command } from 'commander'
import { InputError, systemClock } from '@ascribe/kit'
import { INSTALLATION_CHAIN, createTrail, eraseAudit } from '@ascribe/ledger'
import type { AuditActor, Erasure } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import { confirm } from '../confirm.ts'
import { organizationNamed } from '../find-organization.ts'
import { openLedger } from '../open-ledger.ts'
import { operatorOf } from '../operator.ts'
import type { Surroundings } from '../surroundings.ts'

type EraseOptions = {
  readonly actor?: string
  readonly org?: string
  readonly installation?: true
  readonly line?: readonly number[]
  readonly field?: readonly string[]
  readonly yes?: true
}

const lines = (value: string, before: readonly number[] = []): readonly number[] => {
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new InputError(`Cannot erase from line ${value}: give its number in the chain`)
  return [...before, Number(value)]
}
const more = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** `ascribe audit erase`. */
export function addAuditErase(audit: Command, surroundings: Surroundings): void {
  audit
    .command('erase')
    .description('take what names a person out of the trail, for good; chains stay whole, and say what was taken out')
    .option('--actor <id>', 'a person who acted: id, name, mail and network address in every chain, and the acting sessions')
    .option('--org <id>', 'or: lines of this organization …')
    .option('--installation', "… or of the installation's own chain")
    .option('--line <n>', 'which (repeatable)', lines)
    .option('--field <name>', 'and what of them: act.reason, act.ticket, query, path, personal.… (repeatable)', more)
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Copies that left the database stay: backups, exports, a SIEM.

Examples:  ascribe audit erase --actor ada@example.com
           ascribe audit erase --org Acme --line 17 --field act.reason`,
    )
    .action(async (options: EraseOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      if (options.yes !== true) await confirm('Erase it for good?', surroundings)
      await using ledger = await openLedger(context, { name: 'audit', logger: context.logger, max: 2 })
      const erasure = await erasureOf(ledger.db, options)
      await using trail = createTrail({ db: ledger.db, signer: auditSignerOf(context), logger: context.logger })
      const erased = await eraseAudit(ledger.db, erasure, { trail, by: cliActor(surroundings), at: systemClock() })
      if (context.out.json) context.out.value(erased)
      else context.out.line(`erased ${erased.fields} fields of ${erased.lines} lines`)
    })
}

async function erasureOf(db: Database, { actor, org, installation, line, field }: EraseOptions): Promise<Erasure> {
  if (actor !== undefined && org === undefined && installation === undefined) return { actorId: actor }
  if (actor === undefined && (org !== undefined) !== (installation === true) && line !== undefined && field !== undefined) {
    return { chain: org === undefined ? INSTALLATION_CHAIN : (await organizationNamed(db, org)).id, sequences: line, fields: field }
  }
  throw new InputError('Cannot tell what to erase: give --actor, or --org (or --installation) with --line and --field')
}

/** Whoever works at the installation's own machines. */
export function cliActor(surroundings: Pick<Surroundings, 'env'>): AuditActor {
  return { kind: 'system', id: 'cli', name: operatorOf(surroundings), via: 'cli' }
}
