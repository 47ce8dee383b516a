import { createReadStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { InputError, errorCode } from '@ascribe/kit'
import { findHeads, parseAuditPublicKeys, verifyAudit } from '@ascribe/ledger'
import type { AuditProblem, AuditPublicKeys, AuditReport, SignedHead } from '@ascribe/ledger'
import { contextOf } from '../command.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'

type VerifyOptions = { readonly head?: readonly string[]; readonly key?: readonly string[] }

const more = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** `ascribe audit verify`. */
export function addAuditVerify(audit: Command, surroundings: Surroundings, finish: Finish): void {
  audit
    .command('verify')
    .argument('<file>', 'an export; - for standard input')
    .description('check an export, without the database: finds edits, gaps, changed order, and lines that were cut off')
    .option('--head <file>', 'heads that were kept from earlier: a log, an access log, the end of an export (repeatable)', more)
    .option('--key <file>', 'public keys to trust, PEM or as `audit key` prints them (repeatable)', more)
    .addHelpText(
      'after',
      `
Exit code 1 if something was found. It says too what it cannot rule out with what it was given: without --head nobody can tell whether the
newest lines were cut off; without --key it trusts the keys that the file itself names.

Examples:  ascribe audit verify trail.jsonl --head api.log --key audit-public.txt
           ascribe audit export --json | ascribe audit verify - --head last-month.jsonl --json`,
    )
    .action(async (file: string, options: VerifyOptions, command: Command) => {
      const context = contextOf(command, surroundings)
      const heads = options.head?.flatMap(readHeads) ?? []
      const keys = options.key === undefined ? undefined : readKeys(options.key)
      const report = await verifyAudit(linesOf(file, surroundings), { heads, ...(keys !== undefined && { keys }) })
      if (report.chains.length === 0 && report.problemCount === 0) throw new InputError(`Cannot check ${file}: nothing is in it`)
      if (report.problemCount > 0) finish(EXIT.failed)
      print(context, report)
    })
}

async function* linesOf(file: string, { stdin }: Surroundings): AsyncGenerator<string, void, undefined> {
  const input = file === '-' ? stdin : createReadStream(file)
  // An error of the stream does not reach whoever reads its lines.
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  input.once('error', (cause) =>
    failed.reject(new InputError(`Cannot read ${file}: ${errorCode(cause) ?? 'it cannot be read'}`, { cause })),
  )
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]()
  for (;;) {
    const next = await Promise.race([lines.next(), failed.promise])
    if (next.done === true) break
    yield next.value
  }
  await Promise.race([failed.promise, Promise.resolve()])
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(`Cannot read ${file}: ${errorCode(cause) ?? 'it cannot be read'}`, { cause })
  }
}

function readHeads(file: string): readonly SignedHead[] {
  const heads = findHeads(readText(file))
  if (heads.length === 0) {
    throw new InputError(`Cannot use ${file}: it has no signed head in it`, {
      hint: 'Heads stand at the end of exports, in the log as `audit head`, and under `head` in an access log.',
    })
  }
  return heads
}

function readKeys(files: readonly string[]): AuditPublicKeys {
  return new Map(files.flatMap((file) => [...parseAuditPublicKeys(readText(file), file)]))
}

function print({ out }: Context, { chains, problems, problemCount, caveats }: AuditReport): void {
  if (out.json) {
    return out.value({
      ok: problemCount === 0,
      chains: chains.map(({ chain, lines, last, coveredUntil, erasedFields }) => ({
        chain,
        lines,
        last,
        covered_until: coveredUntil,
        erased_fields: erasedFields,
      })),
      problems: problems.map(({ fileLine, ...problem }) => ({ ...problem, ...(fileLine !== undefined && { file_line: fileLine }) })),
      problem_count: problemCount,
      cannot_rule_out: caveats,
    })
  }
  out.table(
    [
      { title: 'chain' },
      { title: 'lines', align: 'right' },
      { title: 'signed up to', align: 'right' },
      { title: 'erased', align: 'right' },
    ],
    chains.map(({ chain, lines, coveredUntil, erasedFields }) => [chain, String(lines), String(coveredUntil), String(erasedFields)]),
  )
  out.line('')
  for (const problem of problems) out.line(out.style.bad(problemText(problem)))
  if (problemCount > problems.length) out.line(`… and ${problemCount - problems.length} more`)
  out.line(
    problemCount === 0 ? out.style.good('No edit, no gap, no changed order and no missing end was found.') : `${problemCount} found.`,
  )
  out.line('\nThis check cannot rule out:')
  for (const caveat of caveats) out.line(`- ${caveat}`)
}

function problemText({ kind, chain, sequence, fileLine, message }: AuditProblem): string {
  const where = [
    ...(chain === undefined ? [] : [chain]),
    ...(sequence === undefined ? [] : [`line ${sequence}`]),
    ...(fileLine === undefined ? [] : [`(line ${fileLine} of the file)`]),
  ]
  return `${kind}: ${where.join(' ')}: ${message}`
}
