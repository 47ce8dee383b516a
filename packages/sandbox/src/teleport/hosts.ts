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
  const app = apps.find(({ publicAddr }) => publicAddr.toLowerCase() === host)
  if (app !== undefined) return { kind: 'app', app }
  return host === clusterName || PROXY_ADDRESSES.has(host) ? { kind: 'proxy' } : { kind: 'unknown' }
}

/** Lower case, without the port. */
export function hostNameOf(hostHeader: string | undefined): string {
  return (hostHeader ?? '').toLowerCase().replace(/:\d+$/, '')
}
