import { isIPv4 } from 'node:net'

/**
 * Whether a host, as a URL holds it, is this machine and nobody else: 127.0.0.0/8, `[::1]`, `localhost` and what stands under it
 * (RFC 6761 section 6.3).
 */
export function isLoopbackHost(hostname: string): boolean {
  if (hostname === '[::1]' || hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return isIPv4(hostname) && hostname.startsWith('127.')
}

/** Whether what is sent to `url` cannot be read on the way: https, or http that does not leave the machine. */
export function isConfidentialUrl(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}
