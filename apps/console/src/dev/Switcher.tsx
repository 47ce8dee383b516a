import { useState } from 'react'
import type { ReactElement } from 'react'
import { DEV_STATES, readDevState, writeDevState } from './states.ts'
import type { DevStateId } from './states.ts'

/** Puts the page into any of its states. In no build. */
export function Switcher(): ReactElement {
  const [state] = useState<DevStateId>(readDevState)
  return (
    <label className="dev-switcher">
      State{' '}
      <select value={state} onChange={({ target }) => writeDevState(DEV_STATES.find(({ id }) => id === target.value)?.id ?? 'normal')}>
        {DEV_STATES.map(({ id, label }) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
    </label>
  )
}
