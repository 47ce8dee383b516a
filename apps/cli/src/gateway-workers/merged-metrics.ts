/**
 * Puts the metrics of several processes into one text of Prometheus: a label `worker` on every series, the lines of a name together, its help
 * said once.
 */
export function mergeMetrics(texts: ReadonlyMap<string, string>): string {
  const families = new Map<string, { readonly head: string[]; readonly series: string[] }>()
  for (const [worker, text] of texts) {
    let name = ''
    for (const line of text.split('\n')) {
      if (line === '') continue
      const said = /^# (?:HELP|TYPE) (\S+)/.exec(line)?.[1]
      if (said !== undefined) name = said
      const family = families.getOrInsertComputed(name, () => ({ head: [], series: [] }))
      if (said === undefined) family.series.push(labelled(line, worker))
      else if (!family.head.includes(line)) family.head.push(line)
    }
  }
  return Array.from(families.values(), ({ head, series }) => `${[...head, ...series].join('\n')}\n`).join('')
}

/** `name{a="b"} 1` or `name 1`. */
function labelled(line: string, worker: string): string {
  const brace = line.indexOf('{')
  const space = line.indexOf(' ')
  return brace >= 0 && brace < space
    ? `${line.slice(0, brace)}{worker="${worker}",${line.slice(brace + 1)}`
    : `${line.slice(0, space)}{worker="${worker}"}${line.slice(space)}`
}
