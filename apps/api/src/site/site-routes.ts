import { readFileSync } from 'node:fs'
import { NoParamsSchema, openApiDocument } from '@ascribe/contract'
import type { Listener } from '@ascribe/contract'
import { PlainReply, route } from '../handler.ts'
import type { Route } from '../handler.ts'
import { fileDef } from './file-def.ts'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json; charset=utf-8',
}

export type SiteFile = {
  readonly path: string
  readonly body: string
  /** `html`, `css`, `js` or `json`. */
  readonly kind: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A file of a listener: nobody's data, but kept out of caches like everything else, so that a new version is new at once. */
function fileRoute(listener: Listener, { path, body, kind, headers = {} }: SiteFile): Route {
  const contentType = TYPES[kind]
  if (contentType === undefined) throw new Error(`no media type for ${kind}`)
  return {
    ...route(fileDef(listener, path, NoParamsSchema), async () => new PlainReply({ status: 200, body, contentType, headers })),
    isNavigation: kind === 'html',
  }
}

/** What a page of ours may do: load from here, ask here, and be in nobody's frame. */
function pageHeaders(connect: readonly string[] = []): Readonly<Record<string, string>> {
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `connect-src ${["'self'", ...connect].join(' ')}`,
      "img-src 'self'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
  }
}

function assetText(url: URL): string {
  return readFileSync(url, 'utf8')
}

/** What every listener has beside its operations, which are `served`: health, its document, and a viewer of it that loads nothing from elsewhere. */
export function siteRoutes(listener: Listener, served: readonly Route[]): readonly Route[] {
  const ids = new Set(served.map(({ def }) => def.operationId))
  const document = openApiDocument(listener, ({ operationId }) => ids.has(operationId))
  const asset = (name: string): string => assetText(new URL(`./assets/${name}`, import.meta.url))
  return [
    fileRoute(listener, { path: '/healthz', kind: 'json', body: '{"ok":true}' }),
    fileRoute(listener, { path: '/openapi.json', kind: 'json', body: `${JSON.stringify(document)}\n` }),
    fileRoute(listener, { path: '/docs', kind: 'html', body: asset('viewer.html'), headers: pageHeaders() }),
    fileRoute(listener, { path: '/docs/viewer.js', kind: 'js', body: asset('viewer.js') }),
    fileRoute(listener, { path: '/docs/viewer.css', kind: 'css', body: asset('viewer.css') }),
  ]
}
