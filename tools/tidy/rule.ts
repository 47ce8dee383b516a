import type { Tree } from './tree.ts'

/** One breach: where, what is wrong, and the way out. */
export type Problem = { readonly file: string; readonly line: number; readonly says: string }

/** A rule of the house. `name` reads as the sentence that holds when there is no problem. */
export type Rule = { readonly name: string; readonly check: (tree: Tree) => readonly Problem[] }

export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line} ${problem.says}`
}

/** The 1-based line of `needle` in a file, or 1: good enough to open a manifest at the right place. */
export function lineOfText(tree: Tree, file: string, needle: string): number {
  const text = tree.files.get(file) ?? ''
  const offset = text.indexOf(needle)
  return offset < 0 ? 1 : text.slice(0, offset).split('\n').length
}
