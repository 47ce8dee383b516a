import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

// Recomputes what the design claims of its colours: only pairs of this table may stand on each other (WCAG 2.2, 1.4.3 and 1.4.11).

const CSS = readFileSync(new URL('tokens.css', import.meta.url), 'utf8')
type Theme = 'light' | 'dark'

/** `--name: light-dark(#a, #b)`, or one colour for both, or another name. */
function tokensOf(theme: Theme): ReadonlyMap<string, string> {
  const tokens = new Map<string, string>()
  for (const [, name = '', value = ''] of CSS.matchAll(/--([\w-]+):\s*([^;]+);/g)) {
    const pair = /light-dark\((#\w+), (#\w+)\)/.exec(value)
    const alias = /^var\(--([\w-]+)\)$/.exec(value)?.[1]
    const colour = (theme === 'light' ? pair?.[1] : pair?.[2]) ?? (/^#\w+$/.test(value) ? value : undefined) ?? (alias && tokens.get(alias))
    if (colour !== undefined && colour !== '') tokens.set(name, colour)
  }
  return tokens
}

type Rgb = readonly [number, number, number]

function linear(hex: string): Rgb {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b

function ratio(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(linear(a)), luminance(linear(b))].toSorted((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

const PLAIN = ['canvas', 'surface', 'raised', 'sunken', 'hover']
const TINTS = ['accent-tint', 'danger-tint', 'success-tint', 'warning-tint', 'imp-tint']

/** What may stand on what, and the least ratio. */
const PAIRS: readonly { readonly of: readonly string[]; readonly on: readonly string[]; readonly least: number }[] = [
  { of: ['text'], on: [...PLAIN, ...TINTS], least: 4.5 },
  { of: ['text-2'], on: PLAIN, least: 4.5 },
  { of: ['text-3'], on: [...PLAIN, 'accent-tint'], least: 4.5 },
  { of: ['accent'], on: ['canvas', 'surface', 'raised', 'hover', 'accent-tint'], least: 4.5 },
  { of: ['on-accent'], on: ['accent', 'accent-hover'], least: 4.5 },
  { of: ['danger'], on: ['surface', 'raised', 'danger-tint'], least: 4.5 },
  { of: ['warning'], on: ['surface', 'raised', 'warning-tint'], least: 4.5 },
  { of: ['success'], on: ['surface', 'raised', 'success-tint'], least: 4.5 },
  { of: ['info'], on: ['surface', 'info-tint'], least: 4.5 },
  { of: ['imp-text', 'imp-text-2'], on: ['imp-bg'], least: 4.5 },
  { of: ['imp-on-tint'], on: ['imp-tint', 'surface'], least: 4.5 },
  { of: ['imp-alert-text'], on: ['imp-alert-bg'], least: 4.5 },
  { of: ['imp-exit-text'], on: ['imp-exit-bg'], least: 4.5 },
  { of: ['imp-ended-text'], on: ['imp-ended-bg'], least: 4.5 },
  { of: ['border-control', 'focus'], on: ['canvas', 'surface', 'raised', 'sunken'], least: 3 },
  { of: ['warning-solid'], on: ['canvas', 'surface'], least: 3 },
  { of: ['imp-bg', 'imp-line'], on: ['canvas', 'surface'], least: 3 },
  { of: ['imp-alert-bg'], on: ['imp-bg'], least: 3 },
  { of: ['cat-1', 'cat-2', 'cat-3', 'cat-4', 'cat-5', 'cat-6', 'cat-7', 'cat-8', 'cat-other'], on: ['canvas', 'surface'], least: 3 },
]

for (const theme of ['light', 'dark'] as const) {
  test(`tokens, ${theme}: every pair that may be seen has its contrast`, () => {
    const tokens = tokensOf(theme)
    const hex = (name: string): string => tokens.get(name) ?? assert.fail(`no colour ${name}`)
    const faint = PAIRS.flatMap(({ of, on, least }) =>
      of.flatMap((front) =>
        on.flatMap((back) => {
          const found = ratio(hex(front), hex(back))
          return found < least ? [`${front} on ${back}: ${found.toFixed(2)} < ${least}`] : []
        }),
      ),
    )
    assert.deepEqual(faint, [])
  })

  test(`palette, ${theme}: any two colours can be told apart, also with a colour-vision deficiency`, () => {
    const tokens = tokensOf(theme)
    const colours = Array.from({ length: 8 }, (_, index) => linear(tokens.get(`cat-${index + 1}`) ?? ''))
    for (const [name, matrix] of Object.entries(DEFICIENCIES)) {
      const seen = colours.map((colour) => oklab(simulate(matrix, colour)))
      for (const [i, a] of seen.entries()) {
        for (const [j, b] of seen.entries()) {
          if (j <= i) continue
          const far = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
          assert.ok(far >= (j === i + 1 ? 0.1 : 0.07), `${name}: ${i + 1} and ${j + 1} are ${far.toFixed(3)} apart`)
        }
      }
    }
  })
}

/** Machado, Oliveira, Fernandes 2009, full severity, on linear RGB. */
const DEFICIENCIES: Readonly<Record<string, readonly [Rgb, Rgb, Rgb]>> = {
  none: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

const dot = (row: Rgb, colour: Rgb): number => row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2]

function simulate([r, g, b]: readonly [Rgb, Rgb, Rgb], colour: Rgb): Rgb {
  const clamp = (value: number): number => Math.min(1, Math.max(0, value))
  return [clamp(dot(r, colour)), clamp(dot(g, colour)), clamp(dot(b, colour))]
}

/** Ottosson 2020. */
function oklab(colour: Rgb): Rgb {
  const l = Math.cbrt(dot([0.4122214708, 0.5363325363, 0.0514459929], colour))
  const m = Math.cbrt(dot([0.2119034982, 0.6806995451, 0.1073969566], colour))
  const s = Math.cbrt(dot([0.0883024619, 0.2817188376, 0.6299787005], colour))
  return [
    dot([0.2104542553, 0.793617785, -0.0040720468], [l, m, s]),
    dot([1.9779984951, -2.428592205, 0.4505937099], [l, m, s]),
    dot([0.0259040371, 0.7827717662, -0.808675766], [l, m, s]),
  ]
}
