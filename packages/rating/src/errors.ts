import { InputError } from '@ascribe/kit'

/** One thing that is wrong with a price book. `line` and `column` count from 1, in UTF-16 units. */
export type PriceProblem = {
  readonly line: number
  readonly column: number
  /** What is wrong, with the offending value. */
  readonly message: string
  /** How to mend it. */
  readonly hint: string
}

/** The text is not a price book. Lists everything that is wrong with it, in the order of the file. */
export class PriceBookError extends InputError {
  override readonly code = 'PRICE_BOOK_INVALID'
  readonly file: string
  readonly problems: readonly PriceProblem[]

  constructor(file: string, problems: readonly PriceProblem[]) {
    const lines = problems.map(({ line, column, message, hint }) => `  ${file}:${line}:${column}: ${message}; ${hint}`)
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super([`Cannot use price book ${file}: ${count}`, ...lines].join('\n'), {
      hint: 'Mend the lines above; nothing has been changed.',
    })
    this.file = file
    this.problems = problems
  }
}
