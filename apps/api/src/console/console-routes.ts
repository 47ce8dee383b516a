import { NoParamsSchema } from '@ascribe/contract'
import type { Listener } from '@ascribe/contract'
import { z } from 'zod'
import { Refusal } from '../errors.ts'
import { PlainReply, route } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import { readBundle } from './bundle.ts'
import type { Bundle, BundleFile } from './bundle.ts'
import { renderPage } from './page.ts'
import type { PageConfig } from './page.ts'
import { fileDef } from '../site/file-def.ts'

/** What an installation says of its console. */
export type ConsoleSite = {
  /** The folder of the built console; `undefined`: there is none. Asked until there is one. */
  readonly folder: () => Promise<string | undefined>
  /** Who runs the installation: customers read it on statements and in what is said of support. */
  readonly provider?: string
  /** Where requests to models go, for "Getting started". */
  readonly gatewayUrl?: string
}

export type ConsoleOptions = {
  readonly site: ConsoleSite
  /** What a page is told, by the request that asks for it. */
  readonly config: (context: Pick<RequestContext, 'rawHeaders'>) => Omit<PageConfig, 'basePath' | 'provider' | 'gatewayUrl' | 'now'>
}

const BASES: Readonly<Record<Exclude<Listener, 'admin'>, string>> = { public: '/console', internal: '/internal-console' }

/** A year: what has its hash in its name is never another. */
const IMMUTABLE = 'public, max-age=31536000, immutable'

const NOT_BUILT = `<!doctype html><meta charset="utf-8"><title>Ascribe</title><h1>The console is not built</h1>
<p>This installation was started without its files. In the repository <code>npm run up</code> builds them; the packed command brings them.</p>
<p>Everything that it shows is in the API: <a href="/docs">/docs</a>.</p>
`

/** Every path below the base: a file of the bundle, or the one page, which reads the rest of its address itself. */
export function consoleRoutes(listener: 'public' | 'internal', options: ConsoleOptions): readonly Route[] {
  const base = BASES[listener]
  const bundle = lazyBundle(options.site)
  const page = async (context: RequestContext): Promise<PlainReply> => {
    const found = await bundle()
    if (found === undefined) return new PlainReply({ status: 503, body: NOT_BUILT, contentType: 'text/html; charset=utf-8' })
    const { provider, gatewayUrl } = options.site
    const { html, headers } = renderPage(found.html, {
      ...options.config(context),
      basePath: `${base}/`,
      ...(provider !== undefined && { provider }),
      ...(gatewayUrl !== undefined && { gatewayUrl }),
      now: context.clock(),
    })
    return new PlainReply({ status: 200, body: html, contentType: 'text/html; charset=utf-8', headers })
  }
  return [
    { ...route(fileDef(listener, base, NoParamsSchema), page), isNavigation: true },
    { ...route(fileDef(listener, `${base}/{path...}`, z.looseObject({})), page), isNavigation: true },
    {
      ...route(fileDef(listener, `${base}/assets/{file}`, FileSchema), async (context, { params }) =>
        fileReply(await bundle(), `assets/${params.file}`, context),
      ),
      isFile: true,
    },
    ...['favicon.svg', 'favicon-viewing.svg'].map((name) => ({
      ...route(fileDef(listener, `${base}/${name}`, NoParamsSchema), async (context) => fileReply(await bundle(), name, context)),
      isFile: true,
    })),
  ]
}

const FileSchema = z.strictObject({ file: z.string() })

/** Read once it is there; before that, each request asks anew. */
function lazyBundle({ folder }: ConsoleSite): () => Promise<Bundle | undefined> {
  let bundle: Bundle | undefined
  return async () => {
    if (bundle !== undefined) return bundle
    const path = await folder()
    bundle = path === undefined ? undefined : readBundle(path)
    return bundle
  }
}

function fileReply(bundle: Bundle | undefined, name: string, { headers: asked }: RequestContext): PlainReply {
  const file = bundle?.files.get(name)
  if (file === undefined) throw new Refusal('route_not_found', 'There is no such file of the console.')
  const { bytes, encoding } = smallest(file, String(asked['accept-encoding'] ?? ''))
  const headers: Record<string, string> = {
    // Nobody's data, and the same for everybody: this alone may be kept.
    ...(file.isImmutable && { 'cache-control': IMMUTABLE, vary: 'Accept-Encoding' }),
    ...(encoding !== undefined && { 'content-encoding': encoding }),
  }
  return new PlainReply({ status: 200, body: bytes, contentType: file.contentType, headers })
}

function smallest(
  { bytes, brotli, gzip }: BundleFile,
  accepted: string,
): { readonly bytes: Uint8Array; readonly encoding?: 'br' | 'gzip' } {
  const takes = (name: string): boolean =>
    new RegExp(`(^|[ ,])${name}( *(;|,|$))`).test(accepted) && !new RegExp(`${name} *; *q=0(\\.0*)? *(,|$)`).test(accepted)
  if (brotli !== undefined && takes('br')) return { bytes: brotli, encoding: 'br' }
  if (gzip !== undefined && takes('gzip')) return { bytes: gzip, encoding: 'gzip' }
  return { bytes }
}
