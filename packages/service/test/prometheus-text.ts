import assert from 'node:assert/strict'

/** One line of the text format. */
export type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
const VALUE = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN`
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL}(?:,${LABEL})*)?)\\})? (${VALUE})$`)
const COMMENT = new RegExp(`^# (?:HELP ${NAME} (?:[^\\\\\\n]|\\\\[\\\\n])*|TYPE ${NAME} (?:counter|gauge|histogram))$`)

/**
 * Reads the Prometheus text format 0.0.4 as its grammar says
 * (prometheus.io/docs/instrumenting/exposition_formats), and throws at the first line outside it: also when a series
 * comes twice, or a sample does not stand under the TYPE of its metric.
 */
export function parsePrometheusText(text: string): Sample[] {
  if (text === '') return []
  assert(text.endsWith('\n'), 'the last line must end with a line feed')
  const samples: Sample[] = []
  const seen = new Set<string>()
  let family = ''
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('#')) {
      assert.match(line, COMMENT)
      family = line.split(' ')[2] ?? ''
      continue
    }
    const match = SAMPLE.exec(line)
    assert(match, `not a sample: ${JSON.stringify(line)}`)
    const [, name = '', labels = '', value = ''] = match
    assert(new RegExp(`^${family}(_bucket|_sum|_count)?$`).test(name), `${name} stands under ${family}`)
    assert(!seen.has(`${name}{${labels}}`), `${line} comes twice`)
    seen.add(`${name}{${labels}}`)
    samples.push({ name, labels: labelsOf(labels), value: value.endsWith('Inf') ? Infinity : Number(value) })
  }
  return samples
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
  }
  return labels
}
