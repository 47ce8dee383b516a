import { dirname, join } from 'node:path'
import { BodyLog } from './body-log.ts'
import type { BodyLogOptions } from './body-log.ts'
import type { BodyLogSettings } from './types.ts'

export type OpenBodyLogOptions = Omit<BodyLogOptions, 'dir' | 'settings'> & {
  readonly settings: BodyLogSettings | undefined
  /** Its folder, by default beside the policy snapshot. */
  readonly places: { readonly policy: string; readonly bodies?: string }
}

/** The body log of a gateway; `undefined` where the installation keeps none. */
export function openBodyLog({ settings, places, ...options }: OpenBodyLogOptions): BodyLog | undefined {
  if (settings === undefined) return undefined
  return new BodyLog({ ...options, settings, dir: places.bodies ?? join(dirname(places.policy), 'bodies') })
}
