export type Page = { readonly url: URL; readonly status: number; readonly text: string; readonly headers: Headers }
export type Visit = {
  readonly method?: 'GET' | 'POST'
  readonly body?: URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
}

/** As much of a browser as a sign-in needs: cookies by host and port, `Origin` on writes, fetch metadata, redirects. */
export class Browser {
  readonly cookies: Map<string, Map<string, string>> = new Map()
  /** Every `Set-Cookie` so far. */
  readonly set: string[] = []

  /** One request, redirects not followed. */
  async send(url: string | URL, { method = 'GET', body, headers = {} }: Visit = {}): Promise<Page> {
    const at = new URL(url)
    const jar = this.#jar(at)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const reply = await fetch(at, {
      method,
      redirect: 'manual',
      headers: {
        ...(cookie !== '' && { cookie }),
        ...(method === 'POST' && { origin: at.origin, 'sec-fetch-site': 'same-origin' }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    })
    for (const set of reply.headers.getSetCookie()) {
      this.set.push(set)
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (/;\s*max-age=0/i.test(set)) jar.delete(name)
      else jar.set(name, value)
    }
    return { url: at, status: reply.status, text: await reply.text(), headers: reply.headers }
  }

  /** Follows redirects to a page, or up to an address that begins with `stopAt`. */
  async open(url: string | URL, { stopAt, ...visit }: Visit & { readonly stopAt?: string } = {}): Promise<Page> {
    let page = await this.send(url, visit)
    for (let hop = 0; hop < 10; hop += 1) {
      const location = page.headers.get('location')
      if (location === null || page.status < 300 || page.status >= 400) return page
      const next = new URL(location, page.url)
      if (stopAt !== undefined && next.href.startsWith(stopAt)) return { ...page, url: next }
      page = await this.send(next)
    }
    throw new Error(`redirected in circles at ${page.url.href}`)
  }

  /** Sends the form of a page, with its hidden fields. */
  submit({ text, url }: Page, fields: Readonly<Record<string, string>>, options: { readonly stopAt?: string } = {}): Promise<Page> {
    const [form = ''] = /<form[\s\S]*?<\/form>/i.exec(text) ?? []
    const body = new URLSearchParams(fields)
    for (const [input] of form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi)) body.set(attribute(input, 'name'), attribute(input, 'value'))
    return this.open(new URL(attribute(form, 'action'), url), { method: 'POST', body, ...options })
  }

  #jar({ host }: URL): Map<string, string> {
    return this.cookies.getOrInsertComputed(host, () => new Map())
  }
}

function attribute(tag: string, name: string): string {
  const [, value = ''] = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(tag) ?? []
  return value.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')
}
