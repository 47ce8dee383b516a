import { installOnce } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'
import { PeerUnavailable } from '../support/unavailable.ts'

/** It is on the machine, or the reason for which a suite that needs it is skipped. */
export type ProxyAvailability = { readonly skip: false | string }

const NGINX: Need = {
  what: 'nginx with auth_request',
  probe: ['sh', '-c', 'nginx -V 2>&1 | grep -q with-http_auth_request_module'],
  debian: ['nginx-light'],
}
const CADDY: Need = { what: 'Caddy, 2.6 or later', probe: ['caddy', 'version'], debian: ['caddy'] }

export const nginx = (): Promise<ProxyAvailability> => available('nginx', NGINX)
export const caddy = (): Promise<ProxyAvailability> => available('caddy', CADDY)

async function available(peer: string, program: Need): Promise<ProxyAvailability> {
  try {
    await installOnce({ peer, recipe: [import.meta.filename], install: (site) => need(site, [program]) })
    return { skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}
