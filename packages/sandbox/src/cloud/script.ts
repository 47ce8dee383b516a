import { InputError } from '@ascribe/kit'
import type { CloudHandles } from './handles.ts'

/** One step of a script: an act of the control listener, so many milliseconds of the sandbox's clock after the script was given. */
export type ScriptStep = {
  readonly afterMs: number
  /** Method and path: `POST /knobs`. */
  readonly act: string
  readonly body?: unknown
}

/** Finds what an act does; undefined where there is no such act. */
export type ResolveAct = (act: string) => ((body: unknown) => unknown) | undefined

const STEPS_MAX = 10_000

/** Plans a script. With a seed and a frozen clock the same script gives the same run. @throws {InputError} before anything is planned. */
export function runScript(cloud: CloudHandles, steps: readonly ScriptStep[], resolve: ResolveAct): { readonly planned: number } {
  if (!Array.isArray(steps) || steps.length > STEPS_MAX)
    throw new InputError(`Cannot run the script: it must be a list of at most ${STEPS_MAX} steps`)
  for (const [index, step] of steps.entries()) {
    const { afterMs, act } = Object(step) as Partial<ScriptStep>
    if (!Number.isSafeInteger(afterMs) || Number(afterMs) < 0)
      throw new InputError(`Cannot run the script: step ${index} needs \`afterMs\`, 0 or more`)
    if (typeof act !== 'string' || (!act.startsWith('POST /') && !act.startsWith('DELETE /')))
      throw new InputError(`Cannot run the script: step ${index} must POST or DELETE`)
    if (resolve(act) === undefined) throw new InputError(`Cannot run the script: step ${index}: there is no ${act}`)
  }
  for (const { afterMs, act, body } of steps) {
    const run = resolve(act)
    cloud.plan(afterMs, () => run?.(body ?? {}))
  }
  return { planned: steps.length }
}
