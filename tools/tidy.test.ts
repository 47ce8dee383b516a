import { join } from 'node:path'
import { test } from 'node:test'
import { formatProblem } from './tidy/rule.ts'
import { rules } from './tidy/rules.ts'
import { readTree } from './tidy/tree.ts'

// The repository's rules, as tests. What each rule catches is shown in tools/tidy/*.test.ts on planted faults.
// The problem lines say where; a stack into this file would only hide them.
Error.stackTraceLimit = 0

const tree = readTree(join(import.meta.dirname, '..'))

for (const rule of rules) {
  test(`tidy: ${rule.name}`, () => {
    const problems = rule.check(tree).map(formatProblem)
    if (problems.length > 0) throw new Error(`\n${problems.join('\n')}`)
  })
}
