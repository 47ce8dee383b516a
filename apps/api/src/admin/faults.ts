import { setFaults } from '@ascribe/contract/admin'
import { route } from '../handler.ts'
import type { Route } from '../handler.ts'

/** What is broken on purpose, in this process. */
export type Faults = { audit: 'down' | 'ok' }

/** Only of sandboxes. The change itself leaves no line: it could not be mended otherwise. */
export function faultRoute(faults: Faults): Route {
  return {
    ...route(setFaults, async (_context, { body }) => {
      faults.audit = body.audit
      return { audit: faults.audit }
    }),
    leavesNoLine: true,
  }
}
