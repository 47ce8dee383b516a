import { isIPv4 } from 'node:net'

/** Whether a host name of a URL means this very machine: 127/8, ::1, `localhost` and names below it (RFC 6761 section 6.3). */
export function isLoopbackHost(hostname: string): boolean {
  if (hostname === '[::1]' || hostname === '::1') return true
  if (isIPv4(hostname)) return hostname.startsWith('127.')
  return isLocalhostName(hostname)
}

/** `localhost` and every name below it. They are resolved here, never by a server: Node's resolver knows only the first. */
export function isLocalhostName(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, '')
  return name === 'localhost' || name.endsWith('.localhost')
}
