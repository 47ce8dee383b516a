/** A claim with a number, and what was measured. */
export type Target = {
  readonly what: string
  readonly value: number
  /** At most, or at least, this. */
  readonly limit: number
  readonly kind: 'most' | 'least'
  readonly unit: string
}

export type Section = {
  readonly name: string
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly notes: readonly string[]
  readonly targets: readonly Target[]
  /** Everything that was measured, for the results file. */
  readonly raw: unknown
}

/** Whether a target is met; not with a value that is no number. */
export function isMet({ value, limit, kind }: Target): boolean {
  return kind === 'most' ? value <= limit : value >= limit
}

/** A section as people read it. */
export function sectionText(section: Section): string {
  const lines = [`\n${section.title}`, ...tableLines([section.columns, ...section.rows])]
  for (const note of section.notes) lines.push(`  ${note}`)
  for (const target of section.targets) lines.push(`  ${targetText(target)}`)
  return lines.join('\n')
}

/** One line for a target: `met` or `MISSED` first. */
export function targetText(target: Target): string {
  const { what, value, limit, kind, unit } = target
  const bound = `${kind === 'most' ? '≤' : '≥'} ${number(limit)}${unit}`
  return `${isMet(target) ? 'met   ' : 'MISSED'} ${what}: ${number(value)}${unit} (${bound})`
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows.map((row) => {
    const cells = row.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
    return `  ${cells.join('  ')}`.trimEnd()
  })
}

/** Three significant digits or whole, thousands apart. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
