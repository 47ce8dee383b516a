import type { Condition } from '@ascribe/kinds'
import { sayable } from './authority/explain.ts'

/** A condition as it should be; `undefined` in its place: it should not be there. */
export type Wanted = { readonly type: string; readonly status: Condition['status']; readonly reason: string; readonly message: string }

/** The list with these conditions in it; others stay. `undefined` when nothing changes. A time changes when its status does, and only then. */
export function mergeConditions(
  before: readonly Condition[] = [],
  wanted: readonly Wanted[],
  { now, generation }: { readonly now: number; readonly generation: number | undefined },
): readonly Condition[] | undefined {
  let hasChanged = false
  const next = new Map(before.map((each) => [each.type, each]))
  for (const { type, status, reason, message } of wanted) {
    const old = next.get(type)
    const said = sayable(message)
    if (old?.status === status && old.reason === reason && (old.message ?? '') === said && old.observedGeneration === generation) continue
    hasChanged = true
    next.set(type, {
      type,
      status,
      reason,
      message: said,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : new Date(now).toISOString(),
      ...(generation !== undefined && { observedGeneration: generation }),
    })
  }
  return hasChanged ? [...next.values()] : undefined
}

/** Without these types. */
export function withoutConditions(conditions: readonly Condition[] = [], types: readonly string[]): readonly Condition[] {
  return conditions.filter(({ type }) => !types.includes(type))
}
