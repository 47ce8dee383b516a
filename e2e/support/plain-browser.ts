import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'

/** Where a browser without scripts ended: a page, or an address that it was told to stop at. */
export type Landing = { readonly url: URL; readonly status: number; readonly html: string }

type Sent = { readonly method: string; readonly body: string; readonly origin: string }
type Answer = { readonly status: number; readonly location: string | undefined; readonly cookies: readonly string[]; readonly html: string }

const HOPS_MAX = 10

type Cookie = { readonly value: string; readonly path: string }

/** As much of a browser as a sign-in needs: cookies by host and path, redirects, forms. It says of itself that it navigates, as browsers do. */
export class PlainBrowser {
  readonly #cookies = new Map<string, Map<string, Cookie>>()

  /** Follows redirects, but for those to an address that begins with `stopAt`. */
  async visit(url: string, { stopAt, sent }: { readonly stopAt?: string; readonly sent?: Sent } = {}): Promise<Landing> {
    let at = new URL(url)
    let next = sent
    for (let hop = 0; hop < HOPS_MAX; hop += 1) {
      const { status, location, cookies, html } = await this.#ask(at, next)
      this.#keep(at, cookies)
      if (location === undefined || status < 300 || status >= 400) return { url: at, status, html }
      at = new URL(location, at)
      if (stopAt !== undefined && at.href.startsWith(stopAt)) return { url: at, status, html: '' }
      next = undefined
    }
    throw new Error(`Redirected in circles: ${at.href}`)
  }

  /** Sends the first form of a page, its hidden fields and `fields`. */
  submit({ html, url }: Landing, fields: Readonly<Record<string, string>>, stopAt?: string): Promise<Landing> {
    const [form = ''] = /<form[\s\S]*?<\/form>/i.exec(html) ?? []
    const inputs = [...form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi)]
    const hidden = inputs.map(([input]) => [attribute(input, 'name'), attribute(input, 'value')] as const)
    return this.post(
      new URL(attribute(form, 'action'), url).href,
      { ...Object.fromEntries(hidden), ...fields },
      { from: url, ...(stopAt !== undefined && { stopAt }) },
    )
  }

  /** A form of the page at `from`. */
  post(
    url: string,
    fields: Readonly<Record<string, string>>,
    { from, stopAt }: { readonly from: URL; readonly stopAt?: string },
  ): Promise<Landing> {
    const sent = { method: 'POST', body: new URLSearchParams(fields).toString(), origin: from.origin }
    return this.visit(url, { sent, ...(stopAt !== undefined && { stopAt }) })
  }

  /** The cookies that it would send there, as a header. */
  cookiesFor(url: string): string {
    const { hostname, pathname } = new URL(url)
    const fits = ([, { path }]: readonly [string, Cookie]): boolean => `${pathname}/`.startsWith(path.endsWith('/') ? path : `${path}/`)
    return [...(this.#cookies.get(hostname) ?? [])]
      .filter(fits)
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }

  async #ask(url: URL, sent: Sent | undefined): Promise<Answer> {
    const headers = {
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      cookie: this.cookiesFor(url.href),
      ...(sent !== undefined && { origin: sent.origin, 'content-type': 'application/x-www-form-urlencoded' }),
    }
    const outgoing = request(url, { method: sent?.method ?? 'GET', headers, agent: false })
    outgoing.end(sent?.body)
    const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
    const html = Buffer.concat(await reply.toArray()).toString()
    return { status: reply.statusCode ?? 0, location: reply.headers.location, cookies: reply.headers['set-cookie'] ?? [], html }
  }

  #keep(url: URL, sets: readonly string[]): void {
    const jar = this.#cookies.get(url.hostname) ?? new Map<string, Cookie>()
    for (const set of sets) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (/;\s*max-age=0/i.test(set)) jar.delete(name)
      else jar.set(name, { value, path: /;\s*path=([^;]+)/i.exec(set)?.[1] ?? '/' })
    }
    this.#cookies.set(url.hostname, jar)
  }
}

function attribute(tag: string, name: string): string {
  const [, value = ''] = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(tag) ?? []
  return value.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
