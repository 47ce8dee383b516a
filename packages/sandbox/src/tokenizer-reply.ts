import { RefusalError } from './errors.ts'
import type { Faults } from './faults.ts'
import { tokenize } from './tokens.ts'

export type TokenizerQuestion = { readonly path: string; readonly body: Buffer; readonly fault: Faults['tokenizer'] }

const PYTHON_PATH = '/extras/tokenize/count'

/** What llama-server and vLLM answer at `/tokenize`, in one; or llama-cpp-python at a path of its own, with the token that begins a text. @throws {RefusalError} */
export async function tokenizerReply({ path, body, fault }: TokenizerQuestion): Promise<object> {
  if (fault === 'none' || (path === PYTHON_PATH) !== (fault === 'python')) throw new RefusalError(404, `There is no POST ${path} here.`)
  if (fault === 'error') throw new RefusalError(500, 'The sandbox was asked not to tokenize.')
  if (fault === 'hang') await new Promise<never>(() => {})
  const { content, prompt, input } = JSON.parse(body.toString()) as Record<string, unknown>
  const text = [content, prompt, input].find((each) => typeof each === 'string') ?? ''
  const tokens = tokenize(String(text))
  return fault === 'python' ? { count: tokens.length + 1 } : { tokens, count: tokens.length }
}
