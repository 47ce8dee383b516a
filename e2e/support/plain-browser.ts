/** Where a browser without scripts ended: a page, or an address that it was told to stop at. */
export type Landing = { readonly url: URL; readonly status: number; readonly html: string }

/** As much of a browser as a sign-in needs: cookies by host, redirects, forms. */
export class PlainBrowser {
  readonly #cookies = new Map<string, Map<string, string>>()

  /** Follows redirects, but for those to an address that begins with `stopAt`. */
  async visit(
    url: string,
    { stopAt, init }: { readonly stopAt?: string; readonly init?: { readonly method: string; readonly body: URLSearchParams } } = {},
  ): Promise<Landing> {
    let at = new URL(url)
    let request = init
    for (let hop = 0; hop < 10; hop += 1) {
      const reply = await fetch(at, { ...request, redirect: 'manual', headers: { cookie: this.#header(at) } })
      this.#keep(at, reply.headers.getSetCookie())
      const html = await reply.text()
      const location = reply.headers.get('location')
      if (location === null || reply.status < 300 || reply.status >= 400) return { url: at, status: reply.status, html }
      at = new URL(location, at)
      if (stopAt !== undefined && at.href.startsWith(stopAt)) return { url: at, status: reply.status, html: '' }
      request = undefined
    }
    throw new Error(`Redirected in circles: ${at.href}`)
  }

  /** Sends the first form of a page, its hidden fields and `fields`. */
  submit({ html, url }: Landing, fields: Readonly<Record<string, string>>, stopAt: string): Promise<Landing> {
    const [form = ''] = /<form[\s\S]*?<\/form>/i.exec(html) ?? []
    const hidden = [...form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi)].map(([input]) => [
      attribute(input, 'name'),
      attribute(input, 'value'),
    ])
    const body = new URLSearchParams({ ...(Object.fromEntries(hidden) as Record<string, string>), ...fields })
    return this.visit(new URL(attribute(form, 'action'), url).href, { stopAt, init: { method: 'POST', body } })
  }

  #header(url: URL): string {
    return [...(this.#cookies.get(url.hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep(url: URL, sets: readonly string[]): void {
    const jar = this.#cookies.get(url.hostname) ?? new Map<string, string>()
    for (const set of sets) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (/;\s*max-age=0/i.test(set)) jar.delete(name)
      else jar.set(name, value)
    }
    this.#cookies.set(url.hostname, jar)
  }
}

function attribute(tag: string, name: string): string {
  const [, value = ''] = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(tag) ?? []
  return value.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
