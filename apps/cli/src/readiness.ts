import type { ReadyReport } from '@ascribe/service'

/** Whether a process should get traffic, from its start to its end. */
export type Readiness = {
  /** Every check that is watched; before there is one, and while it stops, the process is not ready. */
  readonly report: () => ReadyReport
  /** `fault` gives why not, or `undefined` when all is well. `isVital: false`: it is shown, and traffic is welcome all the same. */
  readonly watch: (name: string, fault: () => string | undefined, options?: { readonly isVital: boolean }) => void
  /** From now on it is not ready. */
  readonly stopping: () => void
}

export function createReadiness(): Readiness {
  const checks = new Map<string, { readonly fault: () => string | undefined; readonly isVital: boolean }>()
  let isStopping = false
  return {
    report() {
      if (isStopping) return { process: { ok: false, detail: 'stopping' } }
      if (checks.size === 0) return { process: { ok: false, detail: 'starting' } }
      return Object.fromEntries(
        [...checks].map(([name, { fault, isVital }]) => {
          const detail = fault()
          return [name, { ok: detail === undefined || !isVital, ...(detail !== undefined && { detail }) }]
        }),
      )
    },
    watch: (name, fault, { isVital } = { isVital: true }) => void checks.set(name, { fault, isVital }),
    stopping() {
      isStopping = true
    },
  }
}
