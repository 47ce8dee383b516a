import { connect } from 'node:net'
import { parseUpstreamUrl } from '@ascribe/gateway'
import type { Context } from '../context.ts'
import type { Finding } from './examine.ts'

const TIMEOUT_MS = 3000

/** Whether each upstream of the configuration takes a connection. Nothing is sent: a question could cost money. */
export async function* examineUpstreams({ config }: Context): AsyncGenerator<Finding, void, undefined> {
  const origins = new Set(config.gateway.routes.map((route) => parseUpstreamUrl(route.upstream).origin))
  for (const origin of origins) {
    const fault = await connectionFault(new URL(origin))
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

function connectionFault({ hostname, port, protocol }: URL): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) })
  socket.setTimeout(TIMEOUT_MS, () => resolve(`no answer within ${TIMEOUT_MS / 1000} s`))
  socket.once('connect', () => resolve(undefined))
  socket.once('error', (error) => resolve(error.message))
  return promise.finally(() => socket.destroy())
}
