import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { HttpCallError } from './errors.ts'

/** What the registries of IANA for special purposes keep from the public Internet; 64:ff9b::, 2001:: and 2002:: hold an IPv4 address. */
const V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const
const V6 = [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
] as const

const special = new BlockList()
for (const [address, prefix] of V4) special.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of V6) special.addSubnet(address, prefix, 'ipv6')

/** Whether an address is on the public Internet. IPv4 in IPv6 (`::ffff:10.0.0.1`) counts as what it holds. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !special.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * Refuses a URL that somebody outside has chosen and that does not lead to the public Internet by https: it would reach what only we can reach.
 * A name that resolves to something else a moment later reaches nothing either: whoever answers there cannot prove to be that name.
 * @throws {HttpCallError} retryable when only its name cannot be resolved now
 */
export async function requirePublic(url: URL): Promise<void> {
  if (url.protocol !== 'https:') throw refused(url, 'it is not https')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) === 0 ? await resolve(url, host) : [host]
  if (!addresses.every(isPublicAddress)) throw refused(url, 'it does not lead to the public Internet')
}

async function resolve(url: URL, host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (cause) {
    throw new HttpCallError(`Cannot call ${url.origin}: its name cannot be resolved`, { retryable: true, cause })
  }
}

function refused(url: URL, why: string): HttpCallError {
  return new HttpCallError(`Cannot call ${url.origin}: ${why}`, { retryable: false })
}
