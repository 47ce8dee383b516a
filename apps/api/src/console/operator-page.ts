import { matchOrigin } from '@ascribe/identity/view-as'
import type { OriginPattern } from '@ascribe/identity/view-as'
import type { RequestContext } from '../handler.ts'
import type { ConsoleOptions } from './console-routes.ts'

export type OperatorPageOptions = {
  /** Origin of Teleport's app for this listener; empty: not known, so that a page asks where it is. */
  readonly publicOrigin: string
  readonly allowOrigins: readonly OriginPattern[]
  readonly mayExport: boolean
}

/**
 * Tells a page of operators where its API is. Teleport says under which host it was asked for (`X-Forwarded-Host`, which it replaces): the
 * host of an environment is another origin than the API's (the founding document's form), and shows its own organization alone. Any other
 * host is the API's own. What is said here decides nothing but the page: the door looks at every request by itself.
 */
export function operatorPage({ publicOrigin, allowOrigins, mayExport }: OperatorPageOptions): ConsoleOptions['config'] {
  return ({ rawHeaders }) => {
    const host = forwardedHost(rawHeaders)
    const found =
      publicOrigin === '' || host === undefined ? undefined : matchOrigin(allowOrigins, `${new URL(publicOrigin).protocol}//${host}`)
    const isOther = found !== undefined && found.origin !== publicOrigin
    return {
      mode: 'operator',
      apiBase: isOther ? publicOrigin : '',
      hasLogin: false,
      mayExport,
      ...(isOther && found.organizationId !== undefined && { organizationId: found.organizationId }),
    }
  }
}

/** The one that Teleport names; none or several say nothing. */
function forwardedHost(rawHeaders: RequestContext['rawHeaders']): string | undefined {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'x-forwarded-host')
  return values.length === 1 ? values[0]?.toLowerCase() : undefined
}
