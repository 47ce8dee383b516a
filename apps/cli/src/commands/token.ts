import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { InputError, errorCode } from '@ascribe/kit'
import { inspectToken } from '../cloud/inspect-token.ts'
import type { TokenFacts } from '../cloud/inspect-token.ts'
import { contextOf } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { visible } from '../visible.ts'

/** `ascribe token inspect`. */
export function configureToken(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .command('inspect')
    .argument('[file]', 'with the token in it; default or -: standard input')
    .description('claims and times of a token; its signature is not checked, and the token is never shown')
    .addHelpText(
      'after',
      `
Takes the token itself, "Bearer TOKEN", or an answer of a token endpoint. Never write a token on the command line: others can read it there.
Exit code 1 when it has ended or is not valid yet.

Examples:  ascribe token inspect token.txt
           curl -s … | ascribe token inspect --json`,
    )
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const { out } = contextOf(command, surroundings)
      const facts = inspectToken(await readToken(file, surroundings), Date.now())
      if (out.json) out.value(facts)
      else printFacts(out, facts)
      if (facts.state === 'ended' || facts.state === 'not_valid_yet') finish(EXIT.failed)
    })
}

/** A token with very many roles has some tens of KiB. */
const INPUT_BYTES_MAX = 1024 * 1024

/** @throws {InputError} */
async function readToken(file: string | undefined, { stdin }: Surroundings): Promise<string> {
  const input: Readable = file === undefined || file === '-' ? stdin : createReadStream(file)
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of input as AsyncIterable<Buffer | string>) {
      const bytes = Buffer.from(chunk)
      length += bytes.length
      if (length > INPUT_BYTES_MAX) throw new InputError(`Cannot inspect a token of more than ${INPUT_BYTES_MAX} bytes`)
      chunks.push(bytes)
    }
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    const why = errorCode(cause) ?? 'it failed'
    if (file === undefined || file === '-') throw new InputError(`Cannot read a token from standard input: ${why}`, { cause })
    // Neither the name nor the cause, which repeats it: it may be the token itself.
    throw new InputError(`Cannot read the file with the token: ${why}`, {
      hint: 'If that was the token itself, others could read it on the command line: end it, and give the next one on standard input.',
    })
  }
  return Buffer.concat(chunks).toString('utf8')
}

function printFacts(out: Output, facts: TokenFacts): void {
  const mark = {
    valid: out.style.good('✓ valid by its times'),
    ended: out.style.bad('✗ ended'),
    not_valid_yet: out.style.bad('✗ not valid yet'),
  }
  const unknown = out.style.warn(facts.form === 'opaque' ? '! opaque: it says nothing of itself' : '! it does not say until when')
  out.line(facts.state === 'unknown' ? unknown : `${mark[facts.state]}${facts.in_words === undefined ? '' : `: ${facts.in_words}`}`)
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || ['state', 'in_words', 'form'].includes(name)) continue
    out.line(`  ${name.padEnd(16)}${visible(Array.isArray(value) ? value.join(', ') : String(value))}`)
  }
  out.note('The signature was not checked: this is what the token says, not what is true.')
}
