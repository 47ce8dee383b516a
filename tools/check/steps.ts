import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import type { Summary } from '../test/summary.ts'

/** One check: a program of `node_modules/.bin` (or `node`) and its arguments; it passes when it exits with 0. */
export type Step = {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** The command that mends what this step finds, where there is one. */
  readonly mend?: string
}

export type StepsOptions = { readonly root: string; readonly print: (line: string) => void }

/** Two, since the slow ones (types, lint) use every core by themselves. */
const CONCURRENCY = 2

/** Runs every step, whatever the others say; prints a line each, and the output of those that failed. */
export async function runSteps(steps: readonly Step[], options: StepsOptions): Promise<Summary> {
  const { root, print } = options
  const failures: string[] = []
  const waiting = [...steps]
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const startedAt = performance.now()
      const { isPassed, output } = await runStep(step, root)
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      print(`${isPassed ? '✓' : '✗'} ${step.name.padEnd(10)} ${seconds.padStart(5)} s`)
      if (!isPassed)
        failures.push(
          [`\n── ${step.name}: ${step.command.join(' ')}`, output.trimEnd(), ...(step.mend ? [`mend it: ${step.mend}`] : [])].join('\n'),
        )
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  for (const failure of failures) print(failure)
  const passed = steps.length - failures.length
  print(failures.length === 0 ? `all ${passed} checks passed` : `\n${failures.length} of ${steps.length} checks failed`)
  return { passed, failed: failures.length, skipped: 0 }
}

function runStep(step: Step, root: string): Promise<{ isPassed: boolean; output: string }> {
  const [program, ...args] = step.command
  const path = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
  return new Promise((resolve) => {
    const child = spawn(program === 'node' ? process.execPath : program, args, {
      cwd: root,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const collect = (chunk: Buffer): void => void (output += chunk.toString())
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (cause) => resolve({ isPassed: false, output: `Cannot run ${program}: ${cause.message}` }))
    child.on('close', (code) => resolve({ isPassed: code === 0, output }))
  })
}
