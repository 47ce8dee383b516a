import { timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { InputError } from '@ascribe/kit'

/** Whose identity headers are believed. */
export type PeerTrustOptions = {
  /** Networks of the edge, `10.0.0.0/8`, `::1/128` or a single address. Compared with the socket's address. */
  readonly networks: readonly string[]
  /** A header that proves the edge, for networks that cannot tell it apart. Never recorded, never forwarded. */
  readonly secretHeader?: { readonly name: string; readonly value: string }
}

export type PeerTrust = {
  /** `secret`: the value of the secret header, if the request had exactly one. */
  isTrusted(peer: string, secret: string | undefined): boolean
  /** Lower-case name of the secret header, if there is one. */
  readonly secretHeader: string | undefined
}

/** @throws {InputError} when a network is malformed. */
export function createPeerTrust(options: PeerTrustOptions): PeerTrust {
  const list = new BlockList()
  for (const network of options.networks) addNetwork(list, network)
  const expected = options.secretHeader ? Buffer.from(options.secretHeader.value) : undefined
  if (expected !== undefined && expected.length < 16) {
    throw new InputError('Cannot trust a secret header: its value is shorter than 16 bytes', {
      hint: 'Use a long random value, for example 32 random bytes in hex.',
    })
  }
  // A peer asks for every request and there are few peers: remembering the answer saves parsing the address each time.
  const answers = new Map<string, boolean>()
  const ANSWERS_MAX = 1024

  function isInNetworks(peer: string): boolean {
    const known = answers.get(peer)
    if (known !== undefined) return known
    const family = isIP(peer)
    const answer = family !== 0 && list.check(peer, family === 4 ? 'ipv4' : 'ipv6')
    if (answers.size >= ANSWERS_MAX) answers.clear()
    answers.set(peer, answer)
    return answer
  }

  return {
    secretHeader: options.secretHeader?.name.toLowerCase(),
    isTrusted(peer, secret) {
      if (expected !== undefined && secret !== undefined) {
        const given = Buffer.from(secret, 'latin1')
        if (given.length === expected.length && timingSafeEqual(given, expected)) return true
      }
      return isInNetworks(peer)
    },
  }
}

function addNetwork(list: BlockList, network: string): void {
  const [address = '', prefix, ...rest] = network.trim().split('/')
  const family = isIP(address)
  const bits = family === 4 ? 32 : 128
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
  if (family === 0 || rest.length > 0 || length < 0 || length > bits) {
    throw new InputError(`Cannot trust headers from "${network}": it is neither an address nor a network`, {
      hint: 'Write an address or a network in CIDR form, for example 127.0.0.1, 10.0.0.0/8 or fd00::/8.',
    })
  }
  list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
}
