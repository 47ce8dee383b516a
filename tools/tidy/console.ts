import type { Problem, Rule } from './rule.ts'
import { isTest } from './tree.ts'
import type { Tree } from './tree.ts'

const HOME = 'apps/console/src/'
/** The one place of colours; a test computes their contrast. */
const TOKENS = `${HOME}theme/tokens.css`
const HEX = /#[0-9a-f]{3,8}\b/i
/** Without a schema in them: the others carry the validators of the whole contract, which would be most of a page. */
const LIGHT = new Set(['@ascribe/contract/client', '@ascribe/contract/operations'])

function coloursAreTokens(tree: Tree): Problem[] {
  return [...tree.files].flatMap(([file, text]) => {
    if (!file.startsWith(HOME) || !/\.(css|tsx)$/.test(file) || file === TOKENS) return []
    return text.split('\n').flatMap((line, index) => {
      const found = /^\s*(\*|\/\/|\/\*)/.test(line) ? undefined : HEX.exec(line)?.[0]
      return found === undefined ? [] : [{ file, line: index + 1, says: `writes the colour ${found}; use a token of ${TOKENS}` }]
    })
  })
}

function schemasStayOnTheServer(tree: Tree): Problem[] {
  return tree.sources
    .filter(({ path }) => path.startsWith(HOME) && !isTest(path))
    .flatMap((source) =>
      source.imports
        .filter(({ specifier, kind }) => /^(zod$|@ascribe\/contract)/.test(specifier) && kind !== 'type' && !LIGHT.has(specifier))
        .map(({ specifier, start }) => ({
          file: source.path,
          line: source.lineOf(start),
          says: `loads ${specifier} and every schema with it into the browser; import types of it, and operations from @ascribe/contract/operations`,
        })),
    )
}

export const consoleRules: readonly Rule[] = [
  { name: 'colours of the console are tokens', check: coloursAreTokens },
  { name: 'no schema is loaded into the browser', check: schemasStayOnTheServer },
]
