import type { TeleportApp } from './app.ts'

/** Who a request is for, by its Host header: the proxy's own pages, one of the apps, or nobody that we know. */
export type Addressed = { readonly kind: 'proxy' } | { readonly kind: 'app'; readonly app: TeleportApp } | { readonly kind: 'unknown' }

/** The proxy also answers to addresses, so that programs need no resolver for `*.localhost`. */
const PROXY_ADDRESSES: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost'])

export function addressedBy(
  hostHeader: string | undefined,
  { clusterName, apps }: { clusterName: string; apps: readonly TeleportApp[] },
): Addressed {
  const host = hostNameOf(hostHeader)
  const app = appAt(host, apps)
  if (app !== undefined) return { kind: 'app', app }
  return host === clusterName || PROXY_ADDRESSES.has(host) ? { kind: 'proxy' } : { kind: 'unknown' }
}

/** The app of a host name: by its whole name, or by one with `*` in it. */
export function appAt(host: string, apps: readonly TeleportApp[]): TeleportApp | undefined {
  return apps.find(({ publicAddr }) => publicAddr === host) ?? apps.find(({ publicAddr }) => fits(publicAddr, host))
}

/** Whether a text is the pattern, whose one `*` stands for letters and digits. */
export function fits(pattern: string, text: string): boolean {
  const [before = '', after] = pattern.split('*', 2)
  if (after === undefined) return pattern === text
  if (text.length <= before.length + after.length) return false
  const between = text.slice(before.length, text.length - after.length)
  return text.startsWith(before) && text.endsWith(after) && /^[a-z0-9]+$/.test(between)
}

/** Lower case, without the port. */
export function hostNameOf(hostHeader: string | undefined): string {
  return (hostHeader ?? '').toLowerCase().replace(/:\d+$/, '')
}
