import type { Listener, RouteDef } from '@ascribe/contract'
import { z } from 'zod'

/** A definition of something that is no operation: it is in no document. */
export function fileDef<Params>(listener: Listener, path: string, params: RouteDef<Params>['params']): RouteDef<Params> {
  return {
    operationId: `file ${path}`,
    summary: 'A file.',
    method: 'GET',
    path,
    listeners: [listener],
    subject: 'none',
    needs: {},
    params,
    // Deep links of a console and its parameters are the console's own business.
    query: z.looseObject({}),
  }
}
