import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { parseUpstreamUrl } from '@ascribe/gateway/routes'
import { InputError, nearest } from '@ascribe/kit'
import { durationArgument, listArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import { adviceOf } from '../conformance/advice.ts'
import { CHECKS, examineEngine } from '../conformance/examine-engine.ts'
import { isFault } from '../conformance/finding.ts'
import type { Finding, RouteAdvice, Verdict } from '../conformance/finding.ts'
import { EXIT } from '../exit-codes.ts'
import type { Finish } from '../finish.ts'
import type { Output } from '../output.ts'
import type { Surroundings } from '../surroundings.ts'
import { visible } from '../visible.ts'

type Options = { readonly model?: string; readonly credentialEnv?: string; readonly only?: readonly string[]; readonly timeout?: number }

const TIMEOUT_MS = 180_000

/** `ascribe conformance`. */
export function configureConformance(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .argument('<url>', 'of an engine with an OpenAI-compatible API, with or without /v1')
    .option('--model <name>', 'what to ask for (default: the first model that the engine lists)')
    .option('--credential-env <name>', 'an environment variable that holds what the engine wants as Authorization: Bearer')
    .option('--only <checks>', `with commas: ${Object.keys(CHECKS).join(', ')}`, listArgument)
    .option('--timeout <duration>', 'for everything (default: 3m)', durationArgument)
    .addHelpText(
      'after',
      `
Asks the engine for some hundred tokens, best while it serves nobody else, and holds what it says of them against its own counter, its
tokenizer and its limits. Exit code 0 if it says what it does, 3 if it does not, 1 if it cannot be asked or nothing could be told.

Examples:  ascribe conformance http://127.0.0.1:8000
           ascribe conformance https://engine.example/v1 --credential-env ENGINE_KEY --only chat,chat-stream,choices`,
    )
    .action(async (url: string, options: Options, command: Command) => {
      const { out } = contextOf(command, surroundings)
      const engine = await examineEngine({
        ...parseUpstreamUrl(url),
        model: options.model,
        credential: credentialOf(options.credentialEnv, surroundings),
        only: checksOf(options.only),
        timeoutMs: options.timeout ?? TIMEOUT_MS,
        nonce: randomBytes(8).toString('hex'),
        clock: () => performance.now(),
      })
      if (!out.json) out.line(`${out.style.bold(engine.model)} at ${url}`)
      const findings: Finding[] = []
      for await (const finding of engine.findings) {
        findings.push(finding)
        if (!out.json) printFinding(out, finding)
      }
      const faults = findings.filter(isFault).length
      const settings = adviceOf(findings)
      if (out.json) out.value({ url, model: engine.model, requests: engine.asked(), faults, settings, findings })
      else printAdvice(out, settings, { faults, told: findings.some(isTold) })
      if (faults > 0) finish(EXIT.faults)
      else if (!findings.some(isTold)) finish(EXIT.failed)
    })
}

/** Of an engine of which nothing could be told nobody may think that it was found to be fine. */
function isTold({ capability, verdict }: Finding): boolean {
  return verdict === 'ok' && capability !== 'counter' && capability !== 'tokenizer'
}

/** @throws {InputError} */
function credentialOf(name: string | undefined, { env }: Surroundings): string | undefined {
  if (name === undefined) return undefined
  const value = env[name]
  if (value === undefined || value === '') throw new InputError(`Cannot use the credential in ${name}: there is no such variable`)
  return value
}

/** @throws {InputError} */
function checksOf(names: readonly string[] | undefined): readonly string[] | undefined {
  const known = Object.keys(CHECKS)
  for (const name of names ?? []) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    throw new InputError(`Cannot check "${name}": there is no such check`, {
      hint: meant === undefined ? `There are ${known.join(', ')}.` : `Did you mean ${meant}?`,
    })
  }
  return names
}

const WORDS: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  misreports: 'misreports',
  silent: 'silent',
  absent: 'absent',
  unclear: 'could not tell',
}

function printFinding({ line, style }: Output, { capability, verdict, detail, means }: Finding): void {
  const paint = { ok: style.good, misreports: style.bad, silent: style.bad, absent: style.dim, unclear: style.warn }[verdict]
  line(`${paint(WORDS[verdict].padEnd(15))}${capability.padEnd(24)}${visible(detail)}`)
  if (means !== undefined) line(`${' '.repeat(15)}${style.dim(visible(means))}`)
}

function printAdvice(
  { line, style }: Output,
  settings: RouteAdvice,
  { faults, told }: { readonly faults: number; readonly told: boolean },
): void {
  const entries = Object.entries(settings)
  if (entries.length > 0) {
    line('')
    line(style.bold('For its route:'))
    for (const [name, value] of entries) line(`  ${name}: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}`)
  }
  line('')
  if (faults > 0) line(style.bad(`${faults} fault${faults === 1 ? '' : 's'} found.`))
  else line(told ? style.good('No faults found.') : style.warn('Nothing could be told.'))
}
