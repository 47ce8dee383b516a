/** States of the API that a developer, or a test of accessibility, puts a page into. */
export type DevState = {
  readonly id: string
  readonly label: string
}

export const DEV_STATES = [
  { id: 'normal', label: 'Normal' },
  { id: 'loading', label: 'Never answers' },
  { id: 'slow', label: 'Slow, 6 s' },
  { id: 'new', label: 'New: nothing yet' },
  { id: 'zero', label: 'All free' },
  { id: 'partial', label: 'Costs fail, the rest is there' },
  { id: 'held', label: 'Records without a price' },
  { id: 'stale', label: 'Data are an hour old' },
  { id: 'trial', label: 'Trial' },
  { id: 'trial-ended', label: 'Trial ended' },
  { id: 'credits-used', label: 'Credits used up' },
  { id: 'credits-expired', label: 'Credits expired' },
  { id: 'currencies', label: 'Two currencies' },
  { id: 'adjustments', label: 'Adjustments below zero' },
  { id: 'many', label: 'Thousands of keys' },
  { id: 'long-names', label: 'Long names, large amounts' },
  { id: 'viewer', label: 'Signed in as a viewer' },
  { id: 'several', label: 'Member of several organizations' },
  { id: 'signed-out', label: 'Signed out' },
  { id: 'offline', label: 'Offline' },
  { id: 'not-found', label: 'Not found' },
  { id: 'limited', label: 'Too many requests' },
  { id: 'internal', label: 'Internal error' },
  { id: 'audit-down', label: 'Access log cannot be written' },
  { id: 'no-session', label: 'Operator: no session yet' },
  { id: 'five-minutes', label: 'Operator: four minutes left' },
  { id: 'expired', label: 'Operator: session over' },
  { id: 'revoked', label: 'Operator: access withdrawn' },
  { id: 'approval', label: 'Operator: approval needed' },
  { id: 'no-role', label: 'Operator: no role' },
] as const satisfies readonly DevState[]

export type DevStateId = (typeof DEV_STATES)[number]['id']

/** In the name of the window: it survives a reload and stays in its tab, and no page of ours looks at it. */
export function readDevState(): DevStateId {
  return DEV_STATES.find(({ id }) => id === window.name.replace(/^dev:/, ''))?.id ?? 'normal'
}

export function writeDevState(id: DevStateId): void {
  window.name = `dev:${id}`
  location.reload()
}
