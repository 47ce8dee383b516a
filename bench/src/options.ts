import { parseArgs } from 'node:util'

export type SectionName =
  | 'json'
  | 'sse'
  | 'latency'
  | 'journal'
  | 'bodies'
  | 'soak'
  | 'streams'
  | 'gc'
  | 'impersonation'
  | 'ledger'
  | 'ledger-soak'
  | 'reads'
  | 'audit'
  | 'controller'
const SECTIONS: readonly SectionName[] = [
  'json',
  'sse',
  'latency',
  'journal',
  'bodies',
  'soak',
  'streams',
  'gc',
  'impersonation',
  'ledger',
  'ledger-soak',
  'reads',
  'audit',
  'controller',
]
/** Takes hours: measured only when it is named. */
const NAMED_ONLY: readonly SectionName[] = ['ledger-soak']

export type BenchOptions = {
  readonly sections: readonly SectionName[]
  readonly quick: boolean
  readonly soakSeconds: number
  /** Of the ledger, rated cold. */
  readonly records: number
  /** Of the ledger, in a journal that nobody has drained. */
  readonly backlog: number
  /** Of the ledger's soak. */
  readonly soakRecords: number
}

export const HELP: string = `npm run bench -- [--only ${SECTIONS.join(',')}] [--quick] [--soak 10m]

  --only    these sections and no other
  --quick   a sanity run in under a minute: rough numbers
  --soak    how long memory is watched, as 90s or 10m; by default 15s
  --records       of the ledger, rated cold, and of reads, as 10M or 500k; by default 1M
  --backlog       of the ledger, in a journal that nobody has drained; by default 100k
  --soak-records  of ledger-soak, which runs only when it is named; by default 50M`

/** Understands the command line; throws in words when it cannot. */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      soak: { type: 'string' },
      records: { type: 'string' },
      backlog: { type: 'string' },
      'soak-records': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const wanted = values.only?.split(',')
  const unknown = wanted?.find((name) => !SECTIONS.some((section) => section === name))
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": the sections are ${SECTIONS.join(', ')}`)
  return {
    sections: SECTIONS.filter((section) => (wanted === undefined ? !NAMED_ONLY.includes(section) : wanted.includes(section))),
    quick: values.quick,
    soakSeconds: values.soak === undefined ? (values.quick ? 5 : 15) : secondsOf(values.soak),
    records: countOf(values.records, values.quick ? 100_000 : 1_000_000),
    backlog: countOf(values.backlog, values.quick ? 20_000 : 100_000),
    soakRecords: countOf(values['soak-records'], 50_000_000),
  }
}

function secondsOf(text: string): number {
  const [, count, unit] = /^(\d+)(s|m)$/.exec(text) ?? []
  if (count === undefined) throw new Error(`Cannot soak for "${text}": write it as 90s or 10m`)
  return Number(count) * (unit === 'm' ? 60 : 1)
}

function countOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const [, count, unit = ''] = /^(\d{1,9})(k|M)?$/.exec(text) ?? []
  if (count === undefined) throw new Error(`Cannot take "${text}" records: write it as 500k or 10M`)
  return Number(count) * (unit === 'M' ? 1_000_000 : unit === 'k' ? 1000 : 1)
}
