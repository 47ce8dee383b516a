import { runGenerator } from './generated.ts'
import { PAINS } from './pains/threads.ts'
import type { Pain, PainGroup } from './pains/threads.ts'
import { TOKEN_PAINS } from './pains/token-threads.ts'
import { readTree } from './tidy/tree.ts'
import type { Tree } from './tidy/tree.ts'

type Titled = { readonly path: string; readonly title: string }

/** The names of all tests that are written down as they are: texts, not computed ones. */
export function testTitlesOf(tree: Tree): readonly Titled[] {
  const found: Titled[] = []
  for (const source of tree.sources.filter(({ path }) => path.endsWith('.test.ts'))) {
    source.visit({
      CallExpression: ({ callee, arguments: [first] }) => {
        if (callee.type !== 'Identifier' || callee.name !== 'test' || first === undefined) return
        if (first.type === 'Literal' && typeof first.value === 'string') found.push({ path: source.path, title: first.value })
        if (first.type === 'TemplateLiteral') found.push({ path: source.path, title: first.quasis.map(({ value }) => value.raw).join('…') })
      },
    })
  }
  return found
}

/** Whether a test says that it is about a pain: its names stand before the first colon, with commas between, or in brackets at the end. */
export function isAbout(title: string, name: string): boolean {
  const before = title.includes(':') ? title.slice(0, title.indexOf(':')).split(/,\s*/) : []
  const behind = /\(([^()]*)\)$/.exec(title)?.[1]?.split(/,\s*/) ?? []
  return [...before, ...behind].some((each) => each.toLowerCase() === name.toLowerCase())
}

/** docs/pains.md: which test proves each pain. @throws {Error} when one has no test and does not say why, or has one and says that it has none */
export function renderPains(tree: Tree, groups: readonly PainGroup[]): string {
  const titles = testTitlesOf(tree)
  const proofOf = ({ name, open }: Pain): string => {
    const tests = titles.filter(({ title }) => isAbout(title, name))
    if (open === undefined && tests.length === 0)
      throw new Error(
        `Cannot list the pains: no test is named after ${name}. Name the one that proves it, or say in tools/pains/threads.ts why there is none`,
      )
    if (open !== undefined && tests.length > 0)
      throw new Error(`Cannot list the pains: ${name} is said to be open in tools/pains/threads.ts, but ${tests[0]?.path} has a test of it`)
    return open ?? tests.map(({ path, title }) => `\`${path}\`: ${title.replaceAll('|', '\\|')}`).join('<br>')
  }
  const rows = groups.flatMap(({ about, pains }) => [
    '',
    `## ${about}`,
    '',
    '| thread | what has to hold | proof |',
    '|---|---|---|',
    ...pains.map((pain) => `| ${pain.thread} | ${pain.wants} | ${proofOf(pain)} |`),
  ])
  const all = groups.flatMap(({ pains }) => pains)
  const open = all.filter((pain) => pain.open !== undefined).length
  return [
    '# What users of others complain about, and the tests that keep it from happening here',
    '',
    '<!-- Generated from tools/pains/*threads.ts and the names of tests; run `npm run generate`. -->',
    '',
    `${all.length} threads of November 2026. ${all.length - open} have tests that bear their name; ${open} have none, and say why.`,
    `\`npm test -- --name litellm-34238\` runs those of one.`,
    ...rows,
    '',
  ].join('\n')
}

if (import.meta.main) {
  await runGenerator(import.meta.filename, (root) => [
    { path: 'docs/pains.md', text: renderPains(readTree(root), [...PAINS, TOKEN_PAINS]) },
  ])
}
