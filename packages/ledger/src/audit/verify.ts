import { FIRST_PREVIOUS } from './entry.ts'
import type { Chain } from './entry.ts'
import { coverErasure } from './erased-ranges.ts'
import { caveatsOf } from './caveats.ts'
import { checkLine } from './check-line.ts'
import { auditKeyId, isEndorsedBy, isHeadOf } from './keys.ts'
import type { AuditPublicKeys, SignedHead } from './keys.ts'
import { parseExported } from './parse-export.ts'
import type { ParsedLine } from './parse-export.ts'

export type AuditProblemKind =
  | 'unreadable'
  | 'edited'
  | 'gap'
  | 'out_of_order'
  | 'broken_link'
  | 'personal_edited'
  | 'personal_missing'
  | 'rewritten'
  | 'truncated'
  | 'unsigned'
  | 'head_forged'
  | 'head_of_unknown_key'

export type AuditProblem = {
  readonly kind: AuditProblemKind
  readonly chain?: Chain
  /** Of the line in its chain. */
  readonly sequence?: number
  /** Of the file, from 1. */
  readonly fileLine?: number
  readonly message: string
}

export type ChainReport = {
  readonly chain: Chain
  readonly lines: number
  readonly last: number
  /** Up to this line a head that was given, or the file's own, says that nothing was changed. */
  readonly coveredUntil: number
  readonly erasedFields: number
}

export type AuditReport = {
  readonly chains: readonly ChainReport[]
  /** The first {@link PROBLEMS_MAX}. */
  readonly problems: readonly AuditProblem[]
  readonly problemCount: number
  /** What this check cannot rule out, in words. */
  readonly caveats: readonly string[]
}

export type VerifyOptions = {
  /** Kept from earlier: the newest of each chain shows whether lines before it were cut off, any of them whether some were rewritten. */
  readonly heads?: readonly SignedHead[]
  /** Trusted. Default: those that the file itself names, which prove less. */
  readonly keys?: AuditPublicKeys
}

const PROBLEMS_MAX = 100

type ChainState = {
  readonly chain: Chain
  lines: number
  last: number
  hash: string
  readonly given: readonly SignedHead[]
  readonly own: { readonly head: SignedHead; readonly fileLine: number; readonly at: number; readonly hash: string }[]
  /** Sequences by field. */
  readonly missing: Map<string, Set<number>>
  erased: number
}

/**
 * Checks an export of the trail, line by line, without a database: that every line is what its hash says, that each follows the one before, that
 * nothing is missing before the newest head, and that heads were signed by a key that is trusted.
 */
export async function verifyAudit(texts: AsyncIterable<string> | Iterable<string>, options: VerifyOptions = {}): Promise<AuditReport> {
  const run = new Verification(options)
  let fileLine = 0
  for await (const text of texts) {
    fileLine += 1
    if (text.trim() !== '') run.take(text, fileLine)
  }
  return run.report()
}

class Verification {
  readonly #options: VerifyOptions
  /** By key id. */
  readonly #trusted: Map<string, string>
  readonly #chains = new Map<Chain, ChainState>()
  readonly #problems: AuditProblem[] = []
  #problemCount = 0

  constructor(options: VerifyOptions) {
    this.#options = options
    this.#trusted = new Map(options.keys)
  }

  take(text: string, fileLine: number): void {
    const parsed = parseExported(text)
    if (parsed === undefined) {
      this.#problem({ kind: 'unreadable', fileLine, message: 'is no line of an export of the trail' })
    } else if ('line' in parsed) {
      this.#takeLine(parsed.line, fileLine)
    } else {
      const state = this.#stateOf(parsed.head.chain)
      state.own.push({ head: parsed.head, fileLine, at: state.last, hash: state.hash })
    }
  }

  report(): AuditReport {
    for (const head of this.#options.heads ?? []) this.#stateOf(head.chain)
    const chains = [...this.#chains.values()].map((state) => this.#finish(state))
    return {
      chains,
      problems: this.#problems,
      problemCount: this.#problemCount,
      caveats: caveatsOf(chains, { heads: this.#options.heads ?? [], hasKeys: this.#options.keys !== undefined }),
    }
  }

  #takeLine(line: ParsedLine, fileLine: number): void {
    const { chain, sequence, previous, hash } = line
    const state = this.#stateOf(chain)
    const problem = (kind: AuditProblemKind, message: string): void => this.#problem({ kind, chain, sequence, fileLine, message })
    state.lines += 1
    checkLine(line, problem)
    for (const head of state.given) {
      if (head.sequence === sequence && head.hash !== hash) {
        problem('rewritten', `is not the line over which the head of ${head.at} was signed`)
      }
    }
    this.#noteMissing(state, line)
    if (sequence <= state.last) return problem('out_of_order', `comes after line ${state.last}, or a second time`)
    if (sequence > state.last + 1) {
      problem(
        'gap',
        sequence === state.last + 2 ? `line ${sequence - 1} is missing` : `lines ${state.last + 1} to ${sequence - 1} are missing`,
      )
    } else if (previous !== state.hash) {
      problem('broken_link', 'does not follow from the line before it')
    }
    state.last = sequence
    state.hash = hash
    this.#trustNamedKey(line)
  }

  #noteMissing(state: ChainState, { line, sequence, personal }: ParsedLine): void {
    for (const field of Object.keys(line?.sealed ?? {})) {
      if (Object.hasOwn(personal, field)) continue
      state.missing.getOrInsertComputed(field, () => new Set()).add(sequence)
      state.erased += 1
    }
    if (line?.kind === 'erasure') coverErasure(state.missing, line.detail)
  }

  /** A key that a trusted one vouches for is trusted; without any that was given, whatever the file names is all there is. */
  #trustNamedKey({ line }: ParsedLine): void {
    const { keyId, publicKey, endorsements } = line?.kind === 'key' ? (line.detail ?? {}) : {}
    if (typeof keyId !== 'string' || typeof publicKey !== 'string' || auditKeyId(publicKey) !== keyId) return
    const vouched = (Array.isArray(endorsements) ? endorsements : []).some((each: unknown) => {
      const { keyId: by, signature } = each as { readonly keyId?: unknown; readonly signature?: unknown }
      const endorser = typeof by === 'string' ? this.#trusted.get(by) : undefined
      return endorser !== undefined && typeof signature === 'string' && isEndorsedBy(publicKey, endorser, signature)
    })
    if (vouched || this.#options.keys === undefined) this.#trusted.set(keyId, publicKey)
  }

  #finish(state: ChainState): ChainReport {
    const { chain, last } = state
    let coveredUntil = 0
    for (const head of state.given) {
      if (!this.#isSigned(head, 'the head that was given')) continue
      if (head.sequence <= last) coveredUntil = Math.max(coveredUntil, head.sequence)
      else this.#truncated(state, head)
    }
    for (const { head, fileLine, at, hash } of state.own) {
      if (!this.#isSigned(head, 'the head in the file', fileLine)) continue
      if (head.sequence > at) this.#truncated(state, head, fileLine)
      else if (head.sequence < at || head.hash !== hash) {
        const message = 'the head in the file is not the end of the lines before it'
        this.#problem({ kind: 'rewritten', chain, sequence: head.sequence, fileLine, message })
      } else coveredUntil = Math.max(coveredUntil, head.sequence)
    }
    if (last > 0 && state.own.length === 0 && coveredUntil < last) {
      this.#problem({ kind: 'truncated', chain, sequence: last, message: 'the file has no head after the last line: it is cut off' })
    }
    // Anybody can add lines that follow: what is behind the last head that holds, nobody has signed.
    if (state.own.length > 0 && state.own.at(-1)?.at !== last && coveredUntil < last) {
      const message = `the lines after ${coveredUntil} stand behind the head in the file: nobody has signed them`
      this.#problem({ kind: 'unsigned', chain, sequence: coveredUntil + 1, message })
    }
    this.#reportMissing(state)
    return { chain, lines: state.lines, last, coveredUntil, erasedFields: state.erased }
  }

  #truncated({ chain, last }: ChainState, head: SignedHead, fileLine?: number): void {
    const missing = last === 0 ? 'there is no line of it' : `the lines end at ${last}`
    const message = `${missing}, and the head of ${head.at} was signed over line ${head.sequence}`
    this.#problem({ kind: 'truncated', chain, sequence: head.sequence, ...(fileLine !== undefined && { fileLine }), message })
  }

  #isSigned(head: SignedHead, which: string, fileLine?: number): boolean {
    const place = { chain: head.chain, sequence: head.sequence, ...(fileLine !== undefined && { fileLine }) }
    const key = this.#trusted.get(head.keyId)
    if (key === undefined) {
      const message = `${which} was signed with the key ${head.keyId}, for which no trusted key stands; if it is yours, give its public key too`
      this.#problem({ kind: 'head_of_unknown_key', ...place, message })
      return false
    }
    if (isHeadOf(head, key)) return true
    this.#problem({ kind: 'head_forged', ...place, message: `the signature of ${which} is not of the key ${head.keyId} over this head` })
    return false
  }

  #reportMissing({ chain, missing }: ChainState): void {
    for (const [field, sequences] of missing) {
      for (const sequence of sequences) {
        const message = `the field ${field} was taken out, and no line says by whom`
        this.#problem({ kind: 'personal_missing', chain, sequence, message })
      }
    }
  }

  #stateOf(chain: Chain): ChainState {
    return this.#chains.getOrInsertComputed(chain, () => ({
      chain,
      lines: 0,
      last: 0,
      hash: FIRST_PREVIOUS,
      given: (this.#options.heads ?? []).filter((head) => head.chain === chain),
      own: [],
      missing: new Map(),
      erased: 0,
    }))
  }

  #problem(problem: AuditProblem): void {
    this.#problemCount += 1
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem)
  }
}
