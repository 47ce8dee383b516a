import type { Command } from 'commander'
import { systemClock } from '@ascribe/kit'
import { INSTALLATION_CHAIN, exportAudit } from '@ascribe/ledger'
import type { ExportedHead, ExportedLine } from '@ascribe/ledger'
import { auditSignerOf } from '../audit-key.ts'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import type { Finish } from '../finish.ts'
import { organizationNamed } from '../find-organization.ts'
import { openLedger } from '../open-ledger.ts'
import type { Surroundings } from '../surroundings.ts'
import { visible } from '../visible.ts'
import { addAuditErase } from './audit-erase.ts'
import { addAuditVerify } from './audit-verify.ts'

/** `ascribe audit export|verify|key|erase`. */
export function configureAudit(root: Command, surroundings: Surroundings, finish: Finish): void {
  root.addHelpText(
    'after',
    `
Every look at a customer and every change is a line of that customer's chain, or of the installation's. docs/guides/audit.md says what a line
holds, what is sealed, and what a check proves.`,
  )
  addExport(root, surroundings)
  addAuditVerify(root, surroundings, finish)
  addKey(root, surroundings)
  addAuditErase(root, surroundings)
}

type ExportOptions = { readonly org?: string; readonly installation?: true }

function addExport(audit: Command, surroundings: Surroundings): void {
  audit
    .command('export')
    .description('the trail as JSON lines, oldest first; each chain ends with its signed head')
    .option('--org <id>', 'only of this organization, by id or name')
    .option('--installation', "only the installation's own chain")
    .addHelpText(
      'after',
      `
Any size takes the same memory. In a pipe it is JSON, with --json or without.

Examples:  ascribe audit export --json > trail.jsonl
           ascribe audit export --org Acme --json | ascribe audit verify - --key audit-public.pem`,
    )
    .action(async (options: ExportOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const signer = auditSignerOf(context)
      await using ledger = await openLedger(context, { name: 'audit', logger: context.logger, max: 2 })
      const chains = [
        ...(options.org === undefined ? [] : [(await organizationNamed(ledger.db, options.org)).id]),
        ...(options.installation === true ? [INSTALLATION_CHAIN] : []),
      ]
      for await (const value of exportAudit(ledger.db, { signer, now: systemClock(), ...(chains.length > 0 && { chains }) })) {
        await print(context, value)
      }
    })
}

/** Programs read this through a pipe: a line for people is only for a terminal. */
async function print({ out }: Context, value: ExportedLine | ExportedHead): Promise<void> {
  if (out.json || !out.terminal) return out.write(`${JSON.stringify(value)}\n`)
  if (value.type === 'head') {
    return out.write(`${value.chain}  ends with line ${value.sequence}, ${value.hash.slice(0, 16)}…, signed with ${value.keyId}\n`)
  }
  const { chain, sequence, line, personal } = value
  if (typeof line === 'string') return out.write(`${chain}  ${sequence}  is no line any more\n`)
  const valueOf = (field: string): string | undefined => personal[field]?.value
  const { id = valueOf('actor.id') ?? '(erased)', kind } = line.actor
  // Of the installation's tools the id says nothing: who used them is sealed.
  const person = kind === 'system' ? valueOf('actor.name') : undefined
  const who = visible(person === undefined ? id : `${id} (${person})`)
  const what = [line.method, line.path ?? valueOf('path'), line.status].filter((part) => part !== undefined).join(' ')
  // What an API was asked for stands in its path; a tool says it in the detail.
  const did = what === '' && line.detail !== undefined ? visible(JSON.stringify(line.detail)) : what
  const why = [valueOf('act.ticket'), valueOf('act.reason')].filter((part) => part !== undefined).join(': ')
  return out.write(`${line.at}  ${chain}  ${sequence}  ${line.kind}  ${who}  ${[did, why].filter((part) => part !== '').join('  ')}\n`)
}

function addKey(audit: Command, surroundings: Surroundings): void {
  audit
    .command('key')
    .description('the public key that heads are signed with, for `audit verify --key` and for whoever is to check the trail')
    .addHelpText('after', '\nExample:  ascribe audit key > audit-public.txt')
    .action((_options: unknown, command: Command) => {
      const context = contextOf(command, surroundings)
      const { keyId, publicKey } = auditSignerOf(context)
      if (context.out.json) return context.out.value({ key_id: keyId, public_key: publicKey })
      context.out.line(publicKey)
      context.out.note(`Ed25519, key id ${keyId}`)
    })
}
