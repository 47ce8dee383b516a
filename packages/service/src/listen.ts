import { once } from 'node:events'
import { type Server, isIPv6 } from 'node:net'
import { errorCode } from '@ascribe/kit'
import { ListenError } from './errors.ts'

/** Where a server listens. Port 0 takes a free one. */
export type HostPort = { readonly host: string; readonly port: number }

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use; stop what listens there or choose another port (0 takes a free one)',
  EACCES: 'this user may not listen on that port; choose one above 1023',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'the host name cannot be resolved',
}

/**
 * Makes `server` listen and gives the address it got. @throws {ListenError} with the way out.
 */
export async function listenOn(server: Server, address: HostPort): Promise<HostPort> {
  try {
    server.listen({ host: address.host, port: address.port })
    await once(server, 'listening')
  } catch (cause) {
    throw listenFailure(address, cause)
  }
  const bound = server.address()
  return { host: address.host, port: typeof bound === 'object' && bound !== null ? bound.port : address.port }
}

/** Why nobody can listen there, with the way out. */
export function listenFailure(address: HostPort, cause: unknown): ListenError {
  const reason = REASONS[errorCode(cause) ?? '']
  return new ListenError(`Cannot listen on ${hostPortText(address)}${reason === undefined ? '' : `: ${reason}`}`, { cause })
}

/** `host:port`, brackets around an IPv6 address. */
export function hostPortText(address: HostPort): string {
  return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`
}

/** A URL under which a local caller reaches `address`: a wildcard address becomes its loopback. No trailing slash. */
export function urlOf(address: HostPort): string {
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host
  return `http://${hostPortText({ host, port: address.port })}`
}
