import { randomBytes } from 'node:crypto'

/** What a page of the console is told: the value of its data block, read by `ConsoleConfig` of apps/console. */
export type PageConfig = {
  readonly mode: 'customer' | 'operator'
  /** Empty: the API is where the page is. */
  readonly apiBase: string
  readonly basePath: string
  readonly provider?: string
  readonly hasLogin: boolean
  readonly mayExport: boolean
  readonly organizationId?: string
  readonly gatewayUrl?: string
  /** Epoch milliseconds. */
  readonly now: number
}

export type RenderedPage = { readonly html: string; readonly headers: Readonly<Record<string, string>> }

const NONCE_BYTES = 18

/** Fills in one page: a fresh nonce, its configuration, and addresses below its base path. */
export function renderPage(template: string, config: PageConfig): RenderedPage {
  const nonce = randomBytes(NONCE_BYTES).toString('base64')
  // A data block ends at the first `</`, and `<!--` begins something else: neither can be in it.
  const block = JSON.stringify(config).replaceAll('<', String.raw`\u003c`)
  const html = template
    .replaceAll('{nonce}', () => nonce)
    .replaceAll(/(src|href)="\.\//g, (_, name: string) => `${name}="${config.basePath}`)
    .replace('"{config}"', () => block)
  return { html, headers: policyOf(config, nonce) }
}

/** The page may run what came with it, ask the one API, and be in nobody's frame. */
function policyOf({ apiBase }: PageConfig, nonce: string): Readonly<Record<string, string>> {
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      // The component library makes two small style elements, with the nonce that the page tells it.
      `style-src 'self' 'nonce-${nonce}'`,
      "img-src 'self'",
      "font-src 'self'",
      `connect-src ${["'self'", ...(apiBase === '' ? [] : [apiBase])].join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  }
}
