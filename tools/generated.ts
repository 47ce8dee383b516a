import { readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** The programs that write files which are committed. Each takes --write, and --check, which fails when a file is stale. */
export const GENERATORS: readonly string[] = [
  'tools/defects.ts',
  'tools/errors.ts',
  'tools/kubernetes.ts',
  'tools/openapi.ts',
  'tools/operations.ts',
  'tools/pains.ts',
]

/** A generated file: its path from the root and what it must hold. */
export type Generated = { readonly path: string; readonly text: string }

const root = join(import.meta.dirname, '..')

/** The body of a generator: writes with `--write`, otherwise sets the exit code when a file is not what would be written. */
export async function runGenerator(
  script: string,
  generate: (root: string) => readonly Generated[] | Promise<readonly Generated[]>,
): Promise<void> {
  const isWriting = process.argv.includes('--write')
  for (const { path, text } of await generate(root)) {
    const current = await readFile(join(root, path), 'utf8').catch(() => undefined)
    if (current === text) continue
    if (isWriting) {
      await writeFile(join(root, path), text)
      console.log(`${path}: written`)
    } else {
      console.log(`${path}:${firstDifference(current ?? '', text)} is stale; run \`node ${relative(root, script)} --write\``)
      process.exitCode = 1
    }
  }
}

function firstDifference(current: string, wanted: string): number {
  const lines = wanted.split('\n')
  const index = current.split('\n').findIndex((line, at) => line !== lines[at])
  return index < 0 ? 1 : index + 1
}
