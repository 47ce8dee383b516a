import { createInterface } from 'node:readline/promises'
import { InputError } from '@ascribe/kit'
import type { Surroundings } from './surroundings.ts'

/**
 * Asks a person before what cannot be undone. Programs are not asked: without a terminal at both ends this goes on at once, as with --yes.
 * @throws {InputError} when the answer is anything but yes
 */
export async function confirm(question: string, { stdin, stderr }: Pick<Surroundings, 'stdin' | 'stderr'>): Promise<void> {
  if (!stdin.isTTY || !stderr.isTTY) return
  const lines = createInterface({ input: stdin, output: stderr })
  try {
    const answer = await lines.question(`${question} [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new InputError('Nothing was done: the answer was not yes')
  } finally {
    lines.close()
  }
}
