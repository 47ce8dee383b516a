import { routesOf } from '../route-settings.ts'
import { connectionFault } from '@ascribe/service'
import type { Context } from '../context.ts'
import type { Finding } from './examine.ts'

const TIMEOUT_MS = 3000

/** Whether each upstream that the configuration names takes a connection; those of a convention are known by requests alone. Nothing is sent: a question could cost money. */
export async function* examineUpstreams({ config }: Context): AsyncGenerator<Finding, void, undefined> {
  const origins = new Set(
    routesOf(config.gateway)
      .filter(({ isRetired, template }) => isRetired !== true && template === undefined)
      .flatMap(({ upstream, balance }) => balance?.places.map((place) => place.upstream.origin) ?? [upstream.origin]),
  )
  for (const origin of origins) {
    const { hostname, port, protocol } = new URL(origin)
    const address = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
    const fault = await connectionFault(address, TIMEOUT_MS)
    yield fault === undefined
      ? { what: 'upstream', state: 'fine', detail: `${origin} takes connections` }
      : {
          what: 'upstream',
          state: 'wrong',
          detail: `${origin}: ${fault}`,
          mend: 'Start the engine, or mend its address in `gateway.routes`.',
        }
  }
}
