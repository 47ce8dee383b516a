import { KNOBS, type Knob } from './knobs.ts'

/** The knobs as the rows of a Markdown table, in the order of {@link KNOBS}: the guide holds exactly these. */
export function knobTable(): readonly string[] {
  const rows = Object.entries(KNOBS).map(([name, knob]) => rowOf(name, knob))
  return ['| knob | area | at first | takes | what it does | question |', '|---|---|---|---|---|---|', ...rows]
}

function rowOf(name: string, { area, initial, takes, says, question }: Knob<unknown>): string {
  const cells = [`\`${name}\``, area, `\`${JSON.stringify(initial)}\``, takes, says, question === undefined ? '' : String(question)]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
