import { AssertionError, assert, type Counter, type Gauge, type Histogram, type Labels, type Meters } from '@ascribe/kit'

/** Instruments that can be read as Prometheus text. */
export type MeterRegistry = Meters & {
  /** All series in the Prometheus text format 0.0.4, instruments in the order of their making. */
  render(): string
  /** Calls `collect` at the beginning of every {@link MeterRegistry.render}, to set gauges that are read rather than counted. */
  beforeRender(collect: () => void): void
}

export type MeterOptions = {
  /** Series of one instrument, at most; default 1000. What comes beyond is counted in one series whose labels say `overflow`. */
  readonly seriesMax?: number
}

const SERIES_MAX = 1000
const OVERFLOW = 'overflow'
// Prometheus data model: metric names and label names.
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/

type Kind = 'counter' | 'gauge' | 'histogram'
type Family = { readonly kind: Kind; readonly instrument: Counter & Gauge & Histogram; readonly render: () => string }

/** Makes the real {@link Meters} of a process. */
export function createMeters(options: MeterOptions = {}): MeterRegistry {
  const seriesMax = options.seriesMax ?? SERIES_MAX
  const families = new Map<string, Family>()
  const collectors: (() => void)[] = []

  function family(name: string, kind: Kind, make: () => Family): Family {
    const known = families.get(name)
    if (known !== undefined) {
      assert(known.kind === kind, `meter ${name} is a ${known.kind}, not a ${kind}`)
      return known
    }
    assert(METRIC_NAME.test(name), `meter name ${JSON.stringify(name)} is not one of Prometheus`)
    const made = make()
    families.set(name, made)
    return made
  }

  return {
    counter: (name, help) => family(name, 'counter', () => scalarFamily(name, help, { kind: 'counter', seriesMax })).instrument,
    gauge: (name, help) => family(name, 'gauge', () => scalarFamily(name, help, { kind: 'gauge', seriesMax })).instrument,
    histogram: (name, help, { buckets }) => family(name, 'histogram', () => histogramFamily(name, help, { buckets, seriesMax })).instrument,
    beforeRender: (collect) => void collectors.push(collect),
    render() {
      for (const collect of collectors) collect()
      return Array.from(families.values(), (each) => each.render()).join('')
    },
  }
}

// The type of each factory method hides the others' methods; this is for callers without types.
const refuse = (): never => {
  throw new AssertionError('this meter is of another kind')
}

function scalarFamily(name: string, help: string, options: { kind: 'counter' | 'gauge'; seriesMax: number }): Family {
  const series = new SeriesMap(options.seriesMax, () => ({ value: 0 }))
  return {
    kind: options.kind,
    instrument: {
      add(amount = 1, labels) {
        assert(amount >= 0 && options.kind === 'counter', `counter ${name} cannot go up by ${amount}`)
        series.at(labels).value += amount
      },
      set(value, labels) {
        series.at(labels).value = value
      },
      observe: refuse,
    },
    render() {
      const lines = Array.from(series.all, ([labels, { value }]) => `${name}${braced(labels)} ${numberText(value)}\n`)
      return header(name, help, options.kind) + lines.join('')
    },
  }
}

function histogramFamily(name: string, help: string, options: { buckets: readonly number[]; seriesMax: number }): Family {
  const bounds = options.buckets
  assert(
    bounds.every((bound, index) => Number.isFinite(bound) && bound > (bounds[index - 1] ?? -Infinity)),
    `buckets of ${name} do not rise`,
  )
  const series = new SeriesMap(options.seriesMax, () => ({ counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }))
  return {
    kind: 'histogram',
    instrument: {
      observe(value, labels) {
        const at = series.at(labels)
        let index = 0
        while (index < bounds.length && value > (bounds[index] ?? Infinity)) index += 1
        at.counts[index] = (at.counts[index] ?? 0) + 1
        at.sum += value
      },
      add: refuse,
      set: refuse,
    },
    render() {
      let text = header(name, help, 'histogram')
      for (const [labels, { counts, sum }] of series.all) {
        let total = 0
        const comma = labels === '' ? '' : ','
        counts.forEach((count, index) => {
          total += count
          text += `${name}_bucket{${labels}${comma}le="${numberText(bounds[index] ?? Infinity)}"} ${total}\n`
        })
        text += `${name}_sum${braced(labels)} ${numberText(sum)}\n${name}_count${braced(labels)} ${total}\n`
      }
      return text
    },
  }
}

/** The series of one instrument by their label text, at most so many. */
class SeriesMap<T> {
  readonly all: Map<string, T> = new Map()
  /** By label objects that cannot change: reading and sorting labels takes most of the time of counting. */
  readonly #byFrozen = new WeakMap<Labels, T>()
  readonly #max: number
  readonly #make: () => T

  constructor(max: number, make: () => T) {
    this.#max = max
    this.#make = make
  }

  at(labels: Labels | undefined): T {
    const remembered = labels === undefined ? undefined : this.#byFrozen.get(labels)
    if (remembered !== undefined) return remembered
    const series = this.#find(labels)
    if (labels !== undefined && Object.isFrozen(labels)) this.#byFrozen.set(labels, series)
    return series
  }

  #find(labels: Labels | undefined): T {
    const key = labels === undefined ? '' : labelText(labels)
    const known = this.all.get(key)
    if (known !== undefined) return known
    for (const name in labels) assert(LABEL_NAME.test(name) && name !== 'le', `label name ${JSON.stringify(name)} is not allowed`)
    if (this.all.size >= this.#max && labels !== undefined) return this.#overflow(labels)
    const made = this.#make()
    this.all.set(key, made)
    return made
  }

  #overflow(labels: Labels): T {
    const key = labelText(Object.fromEntries(Object.keys(labels).map((name) => [name, OVERFLOW])))
    const made = this.all.get(key) ?? this.#make()
    this.all.set(key, made)
    return made
  }
}

/** `a="x",b="y"`, names in order, so that the order in which a caller writes labels makes no second series. */
function labelText(labels: Labels): string {
  const names = Object.keys(labels)
  if (names.length > 1) names.sort()
  let text = ''
  for (const name of names) text += `${text === '' ? '' : ','}${name}="${escapeLabel(labels[name] ?? '')}"`
  return text
}

const SPECIAL = /[\\"\n]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function escapeLabel(value: string): string {
  return SPECIAL.test(value) ? value.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character) : value
}

function header(name: string, help: string, kind: Kind): string {
  const text = help.replace(/[\\\n]/g, (character) => ESCAPES[character] ?? character)
  return `# HELP ${name} ${text}\n# TYPE ${name} ${kind}\n`
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return Number.isNaN(value) ? 'NaN' : String(value)
}
