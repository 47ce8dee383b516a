import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TIMEOUT_MS = 240_000
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

/** Runs a program to its end and gives what it printed. @throws with what it said on stderr */
export async function runTool(
  command: string,
  args: readonly string[],
  { env = {} }: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  try {
    const { stdout } = await run(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      timeout: TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    })
    return stdout
  } catch (cause) {
    const { stderr = '' } = cause as { readonly stderr?: string }
    throw new Error(`${args.slice(0, 3).join(' ')}: ${stderr.slice(-3_000)}`, { cause })
  }
}
