import type { Problem, Rule } from './rule.ts'
import type { Source } from './source.ts'
import { isTest, isTesting, shippedSources } from './tree.ts'
import type { Tree } from './tree.ts'

/** A statement begins with its verb, all small or all capital. Prose ("Select a key from the list") does not. */
const STATEMENT =
  /^(?:with\s.+?\bas\s*\(|select\s.+?\sfrom\s|insert\s+into\s|update\s+[\w".]+\s+(?:as\s+\w+\s+)?set\s|delete\s+from\s|merge\s+into\s|truncate\s|(?:create|alter|drop)\s+(?:table|index|view|function|trigger|type|sequence)\s)/is
const LEADING_COMMENTS = /^(?:\s|--[^\n]*\n|\/\*.*?\*\/)*/s

function isStatement(text: string): boolean {
  const statement = text.replace(LEADING_COMMENTS, '')
  const verb = /^\w+/.exec(statement)?.[0] ?? ''
  return (verb === verb.toLowerCase() || verb === verb.toUpperCase()) && STATEMENT.test(statement)
}

function stringsOf(source: Source): { text: string; offset: number }[] {
  const found: { text: string; offset: number }[] = []
  source.visit({
    Literal({ value, start }) {
      if (typeof value === 'string') found.push({ text: value, offset: start })
    },
    TemplateLiteral({ quasis, start }) {
      found.push({ text: quasis.map((quasi) => quasi.value.raw).join('?'), offset: start })
    },
  })
  return found
}

/** The tables that ledger's migrations make: billing is what they hold. */
export function billingTables(tree: Tree): string[] {
  const tables = new Set<string>()
  for (const [path, text] of tree.files) {
    if (!/^packages\/ledger\/.*\.sql$/.test(path)) continue
    for (const [, name] of text.matchAll(/create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:\w+\.)?"?(\w+)/gi))
      if (name) tables.add(name)
  }
  return [...tables]
}

function billingSqlStaysInLedger(tree: Tree): Problem[] {
  const tables = billingTables(tree)
  const namesBilling = new RegExp(`\\b(?:from|join|into|update|table)\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?"?(${tables.join('|')})\\b`, 'i')
  return shippedSources(tree)
    .filter(({ path }) => !path.startsWith('packages/ledger/') && !isTesting(path))
    .flatMap((source) => {
      const statements = stringsOf(source).filter(({ text }) => isStatement(text))
      // postgres keeps its own books (migrations applied, databases for tests), and a process may have a file of SQLite for itself; billing
      // tables are not among them.
      const own = source.path.startsWith('packages/postgres/') || source.imports.some(({ specifier }) => specifier === 'node:sqlite')
      const breaches = own ? statements.filter(({ text }) => tables.length > 0 && namesBilling.test(text)) : statements
      return breaches.map(({ offset }) => ({
        file: source.path,
        line: source.lineOf(offset),
        says: 'holds SQL; only packages/ledger writes billing SQL: add a function there and call it',
      }))
    })
}

function sqlFilesStayInLedger(tree: Tree): Problem[] {
  return [...tree.files.keys()]
    .filter((path) => path.endsWith('.sql') && !path.startsWith('packages/ledger/') && !isTest(path))
    .map((file) => ({ file, line: 1, says: 'is SQL outside packages/ledger; move it there' }))
}

export const sqlRules: readonly Rule[] = [
  { name: 'only ledger writes billing SQL', check: billingSqlStaysInLedger },
  { name: '.sql files live in ledger', check: sqlFilesStayInLedger },
]
