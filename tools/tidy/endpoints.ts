import type { Problem, Rule } from './rule.ts'
import { isTesting, shippedSources } from './tree.ts'
import type { Tree } from './tree.ts'

/** The one place where a region becomes an address, and the cloud that has to answer at all of them. */
const MAY_BUILD = /^packages\/(impersonation\/src\/region-table\.ts$|sandbox\/)/
const REGION = /region|location/i
/** Everything before it is scheme and host: what is put in here decides who gets a token. */
const IN_HOST = /:\/\/[^/]*$/

/**
 * A token of one host that was sent to another of the same region acted as somebody else, and made machines in the platform's account for
 * eleven days (cloud-impersonation reference, R-1). Since then addresses come from one table.
 */
function regionsBecomeAddressesInOnePlace(tree: Tree): Problem[] {
  const problems: Problem[] = []
  for (const source of shippedSources(tree)) {
    if (MAY_BUILD.test(source.path) || isTesting(source.path)) continue
    const add = (offset: number): void => {
      const says = 'makes an address from a region; take the endpoint from the region table of @ascribe/impersonation'
      problems.push({ file: source.path, line: source.lineOf(offset), says })
    }
    const textOf = ({ start, end }: { readonly start: number; readonly end: number }): string => source.text.slice(start, end)
    source.visit({
      TemplateLiteral({ quasis, expressions, start }) {
        let before = ''
        const isBuilt = expressions.some((expression, index) => {
          before += quasis[index]?.value.raw ?? ''
          const isHost = IN_HOST.test(before) && REGION.test(textOf(expression))
          before += '?'
          return isHost
        })
        if (isBuilt) add(start)
      },
      BinaryExpression({ operator, left, right, start }) {
        if (operator === '+' && /:\/\/[^/]*['"`]$/.test(textOf(left)) && REGION.test(textOf(right))) add(start)
      },
      CallExpression({ callee, arguments: args, start }) {
        const [first] = args
        if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier' || first === undefined) return
        if (['replace', 'replaceAll', 'split'].includes(callee.property.name) && /^['"`]\{region\}['"`]$/.test(textOf(first))) add(start)
      },
    })
  }
  return problems
}

export const endpointRules: readonly Rule[] = [
  { name: 'a region becomes an address in the region table alone', check: regionsBecomeAddressesInOnePlace },
]
