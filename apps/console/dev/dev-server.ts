import { createServer } from 'vite'
import type { Plugin, ProxyOptions, ViteDevServer } from 'vite'
import { NONCE_PLACE, viteConfig } from '../build/vite-config.ts'

/** Where the data of a developer's page come from. */
export type DevSource =
  /** Nowhere: answers typed by the contract, with every state at hand. */
  | { readonly kind: 'mock' }
  /** A real API. `cookie`: of a Teleport session, which the proxy of `tsh` has by itself. `host`: under which Teleport knows the app. */
  | { readonly kind: 'api'; readonly url: string; readonly cookie?: string; readonly host?: string }

export type DevOptions = {
  readonly mode: 'customer' | 'operator'
  readonly source: DevSource
  /** 0: any free one. */
  readonly port: number
}

const BASES = { customer: '/console/', operator: '/internal-console/' } as const
/** Of loopback; a cookie of a sign-in at the API's own port comes here too, since cookies know no ports. */
const HOST = '127.0.0.1'
/** Everything that the API answers; the rest is the console's. */
const API_PATHS = ['/v1', '/api', '/login', '/logout', '/redirect', '/healthz', '/openapi.json']

/** The console with hot reload. Close it. */
export async function startDevServer({ mode, source, port }: DevOptions): Promise<ViteDevServer> {
  const base = BASES[mode]
  const server = await createServer({
    ...viteConfig('dist'),
    base,
    plugins: [...(viteConfig('dist').plugins ?? []), page(base, { mode, source })],
    // The policy of a real page would stop the styles that hot reload puts in.
    html: {},
    server: { host: HOST, port, ...(source.kind === 'api' && { proxy: proxyOf(source) }) },
    appType: 'spa',
  })
  await server.listen()
  return server
}

/** Fills in the page as the API does. */
function page(base: string, { mode, source }: Pick<DevOptions, 'mode' | 'source'>): Plugin {
  return {
    name: 'ascribe-dev-page',
    transformIndexHtml(html) {
      const config = {
        mode,
        apiBase: '',
        basePath: base,
        provider: 'the provider',
        hasLogin: true,
        mayExport: true,
        gatewayUrl: 'http://127.0.0.1:8080',
        now: Date.now(),
      }
      return html
        .replace('"{config}"', () => JSON.stringify(config))
        .replace('<html lang="en">', `<html lang="en" data-dev="${source.kind}">`)
        .replaceAll(NONCE_PLACE, '')
    },
  }
}

/** The API as if it were here. It looks at where a request comes from: so that is said as it would be there. */
function proxyOf({ url, cookie, host }: Extract<DevSource, { kind: 'api' }>): Record<string, ProxyOptions> {
  const headers = {
    ...(host !== undefined && { host }),
    ...(cookie !== undefined && { cookie }),
  }
  const options: ProxyOptions = {
    target: url,
    changeOrigin: host === undefined,
    headers,
    configure(proxy) {
      proxy.on('proxyReq', (request) => {
        if (request.getHeader('origin') !== undefined)
          request.setHeader('origin', new URL(host === undefined ? url : `http://${host}`).origin)
      })
    },
  }
  return Object.fromEntries(API_PATHS.map((path) => [path, options]))
}
