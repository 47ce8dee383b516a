import type { Listener } from '@ascribe/contract'
import type { Route } from '../handler.ts'
import { assetText, fileRoute, pageHeaders } from '../site/site-routes.ts'

export type ConsoleOptions = {
  /** Where the page asks: empty for the listener that serves it, else the origin of Teleport's app for the API. */
  readonly apiOrigin: string
  readonly isInternal: boolean
}

const PATHS: Readonly<Record<Exclude<Listener, 'admin'>, string>> = { public: '/console', internal: '/internal-console' }

/** A small page until there is a console: sign-in, the month's cost by day, and the access log. */
export function consoleRoutes(listener: 'public' | 'internal', options: ConsoleOptions): readonly Route[] {
  const base = PATHS[listener]
  const asset = (name: string): string => assetText(new URL(`./assets/${name}`, import.meta.url))
  const html = asset('console.html').replaceAll('{base}', base)
  const headers = pageHeaders(options.apiOrigin === '' ? [] : [options.apiOrigin])
  return [
    // With and without the slash: its files are named in full.
    ...[base, `${base}/`].map((path) => fileRoute(listener, { path, kind: 'html', body: html, headers })),
    fileRoute(listener, { path: `${base}/console.js`, kind: 'js', body: asset('console.js') }),
    fileRoute(listener, { path: `${base}/console.css`, kind: 'css', body: asset('console.css') }),
    fileRoute(listener, { path: `${base}/config.json`, kind: 'json', body: JSON.stringify(options) }),
  ]
}
