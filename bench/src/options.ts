import { parseArgs } from 'node:util'

export type SectionName = 'json' | 'sse' | 'latency' | 'journal' | 'bodies' | 'soak'
const SECTIONS: readonly SectionName[] = ['json', 'sse', 'latency', 'journal', 'bodies', 'soak']

export type BenchOptions = {
  readonly sections: readonly SectionName[]
  readonly quick: boolean
  readonly soakSeconds: number
}

export const HELP: string = `npm run bench -- [--only ${SECTIONS.join(',')}] [--quick] [--soak 10m]

  --only    these sections and no other
  --quick   a sanity run in under a minute: rough numbers
  --soak    how long memory is watched, as 90s or 10m; by default 15s`

/** Understands the command line; throws in words when it cannot. */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      soak: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const wanted = values.only?.split(',')
  const unknown = wanted?.find((name) => !SECTIONS.some((section) => section === name))
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": the sections are ${SECTIONS.join(', ')}`)
  return {
    sections: SECTIONS.filter((section) => wanted === undefined || wanted.includes(section)),
    quick: values.quick,
    soakSeconds: values.soak === undefined ? (values.quick ? 5 : 15) : secondsOf(values.soak),
  }
}

function secondsOf(text: string): number {
  const [, count, unit] = /^(\d+)(s|m)$/.exec(text) ?? []
  if (count === undefined) throw new Error(`Cannot soak for "${text}": write it as 90s or 10m`)
  return Number(count) * (unit === 'm' ? 60 : 1)
}
