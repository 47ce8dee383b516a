import { runGenerator } from './generated.ts'
import { DEFECTS } from './pains/defects.ts'
import type { Defect } from './pains/defects.ts'
import { testTitlesOf } from './pains.ts'
import { readTree } from './tidy/tree.ts'
import type { Tree } from './tidy/tree.ts'

/** docs/defects.md: each defect of the reference, and the tests that show that it is not here. @throws {Error} when a test is not there any more */
export function renderDefects(tree: Tree, defects: readonly Defect[]): string {
  const titles = testTitlesOf(tree)
  const proofOf = (wanted: string): string => {
    const found = titles.find(({ title }) => title === wanted)
    if (found === undefined)
      throw new Error(
        `Cannot list the defects: there is no test "${wanted}" any more. Name the one that proves it, in tools/pains/defects.ts`,
      )
    return `\`${found.path}\`: ${wanted.replaceAll('|', '\\|')}`
  }
  return [
    '# What the reference metering proxy gets wrong, and the tests by which it cannot happen here',
    '',
    '<!-- Generated from tools/pains/defects.ts; run `npm run generate`. -->',
    '',
    'The reference is saturncloud/phoebe at commit `ec789fc` of June 2026, as read and measured then. Some of it has been mended there since.',
    '',
    '| # | there | here | proof |',
    '|---|---|---|---|',
    ...defects.map(({ number, wrong, here, proofs }) => `| ${number} | ${wrong} | ${here} | ${proofs.map(proofOf).join('<br>')} |`),
    '',
  ].join('\n')
}

if (import.meta.main) {
  await runGenerator(import.meta.filename, (root) => [{ path: 'docs/defects.md', text: renderDefects(readTree(root), DEFECTS) }])
}
