import { runGenerator } from './generated.ts'
import { ERRORS_FILE, errorCodesOf } from './tidy/error-codes.ts'
import { readTree } from './tidy/tree.ts'
import type { Tree } from './tidy/tree.ts'

/** docs/errors.md: every error code, what it means, and whether trying again may help. */
export function renderErrors(tree: Tree): string {
  const rows = errorCodesOf(tree).map(
    ({ code, area, className, isRetryable, meaning }) =>
      `| \`${code}\` | ${area} | \`${className}\` | ${isRetryable ? 'yes' : 'no'} | ${meaning.replaceAll('|', '\\|')} |`,
  )
  return [
    '# Error codes',
    '',
    '<!-- Generated from the classes that declare `code`; change their docstrings, then run `npm run generate`. -->',
    '',
    'A code is stable: programs may branch on it. *Retry* says whether the same call may succeed later without anybody changing anything.',
    '',
    '| code | declared in | class | retry | meaning |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

if (import.meta.main) {
  await runGenerator(import.meta.filename, (root) => [{ path: ERRORS_FILE, text: renderErrors(readTree(root)) }])
}
