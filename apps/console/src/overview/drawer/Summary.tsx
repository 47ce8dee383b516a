import type { ReactNode } from 'react'
import { formatCount, formatCountExact } from '../../format/quantity.ts'

/** What a step of the way down comes to: amount, tokens, records. What is not known yet is left out. */
export function Summary({
  amount,
  exact,
  currency,
  tokens,
  records,
}: {
  /** `undefined`: on its way. */
  amount: string | undefined
  exact: string | undefined
  currency: string | undefined
  tokens: bigint | undefined
  records: bigint | undefined
}): ReactNode {
  return (
    <p className="ov-summary">
      {amount !== undefined && (
        <>
          <strong className="num" title={exact}>
            {amount}
          </strong>
          {currency !== undefined && ` ${currency}`}
        </>
      )}
      {tokens !== undefined && <Count value={tokens} word={tokens === 1n ? 'token' : 'tokens'} hasDot={amount !== undefined} />}
      {records !== undefined && (
        <Count value={records} word={records === 1n ? 'record' : 'records'} hasDot={amount !== undefined || tokens !== undefined} />
      )}
    </p>
  )
}

function Count({ value, word, hasDot }: { value: bigint; word: string; hasDot: boolean }): ReactNode {
  return (
    <>
      {hasDot && ' · '}
      <span title={formatCountExact(value)}>
        {formatCount(value)} {word}
      </span>
    </>
  )
}

export const tokensOf = (byKey: ReadonlyMap<string, bigint> | undefined): bigint | undefined =>
  byKey === undefined ? undefined : [...byKey.values()].reduce((sum, value) => sum + value, 0n)
