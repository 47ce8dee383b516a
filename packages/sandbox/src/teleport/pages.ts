import type { Operator } from './operators.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1rem;margin:.2rem 0}'

/** Text inside HTML, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>${body}</body></html>\n`
}

/** Signs in as one of those who are seeded: a sandbox asks for no password. */
export function loginPage(operators: readonly Operator[], redirect: string): string {
  const buttons = operators.map(
    ({ name, roles }) =>
      `<p><button name="user" value="${escapeHtml(name)}">Sign in as ${escapeHtml(name)}</button> ${escapeHtml(roles.join(', '))}</p>`,
  )
  const form = `<form method="post" action="/web/login"><input type="hidden" name="redirect_uri" value="${escapeHtml(redirect)}">${buttons.join('')}</form>`
  return page('Sandbox Teleport: sign in', `<h1>Sandbox Teleport</h1><p>A stand-in: whoever can reach it can be anybody.</p>${form}`)
}

/**
 * Takes the session out of the fragment, hands it to the app's host, which makes cookies of it, and goes on: to the next app of the
 * chain, or to the path that was asked for. `proxy` is the proxy's origin.
 */
export function exchangePage({ proxy, nonce }: { readonly proxy: string; readonly nonce: string }): string {
  const script = `
const query = new URLSearchParams(location.search)
const fragment = new URLSearchParams(location.hash.slice(1))
const chain = (query.get('required-apps') ?? '').split(',').filter((each) => each !== '')
const path = query.get('path') || '/'
const body = JSON.stringify({ state_value: query.get('state'), cookie_value: fragment.get('value'), subject_cookie_value: query.get('subject') })
fetch('/x-teleport-auth', { method: 'POST', mode: 'same-origin', credentials: 'same-origin', headers: { 'content-type': 'application/json' }, body }).then((reply) => {
  if (!reply.ok) { document.title = 'Sign-in failed'; document.body.textContent = 'Sign-in failed: ' + reply.status; return }
  if (chain.length > 1) {
    const next = chain.slice(1)
    const onward = new URLSearchParams({ path, 'required-apps': next.join(',') })
    location.replace(${JSON.stringify(proxy)} + '/web/launch/' + encodeURIComponent(next[0]) + '?' + onward)
    return
  }
  const target = new URL(path, location.origin)
  if (target.origin === location.origin) location.replace(target)
})`
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signing in</title></head><body><script nonce="${nonce}">${script}</script></body></html>\n`
}
