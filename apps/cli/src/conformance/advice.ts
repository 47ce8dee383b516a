import type { Finding, RouteAdvice } from './finding.ts'

/** The stricter one wins where two findings say different things. */
const STRICTNESS: Readonly<Record<string, readonly string[]>> = {
  multiple_choices: ['trust', 'count', 'refuse'],
  silent_streams: ['estimate', 'tokenize', 'refuse'],
}

/** What a route to this engine should say, all findings taken together. */
export function adviceOf(findings: readonly Finding[]): RouteAdvice {
  const advice: Record<string, string | boolean | readonly string[]> = {}
  for (const { settings = {} } of findings) {
    for (const [name, value] of Object.entries(settings)) {
      const order = STRICTNESS[name]
      const standing = advice[name]
      const isStricter = order === undefined || standing === undefined || order.indexOf(String(value)) > order.indexOf(String(standing))
      if (isStricter) advice[name] = value
    }
  }
  return advice
}
