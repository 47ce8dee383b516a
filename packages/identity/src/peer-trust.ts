import { timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { InputError } from '@ascribe/kit'

/** Whose identity headers are believed. */
export type PeerTrustOptions = {
  /** Networks of the edge, `10.0.0.0/8`, `::1/128` or a single address. Compared with the socket's address. */
  readonly networks: readonly string[]
  /** A header that proves the edge, for networks that cannot tell it apart. Never recorded, never forwarded. No value: only `peers` have one. */
  readonly secretHeader?: { readonly name: string; readonly value?: string }
  /** Edges with terms of their own. The first that fits decides, before `networks` and `secretHeader`. */
  readonly peers?: readonly TrustedPeer[]
}

/** An edge with terms of its own: one of its networks and, where there is a secret, that as well. */
export type TrustedPeer = PeerTerms & {
  /** None: from anywhere, with the secret. */
  readonly networks: readonly string[]
  /** Value of the secret header. */
  readonly secret?: string
}

/** Under what terms the identity headers of a peer are believed. */
export type PeerTerms = {
  /** `from-header`: it has to name the resource. `from-model`: where it does not, that of the route which the model has is meant. */
  readonly resource: 'from-header' | 'from-model'
}

export type PeerTrust = {
  /** `secret`: the value of the secret header, if the request had exactly one. `undefined`: nothing it says of identity is believed. */
  termsFor(peer: string, secret: string | undefined): PeerTerms | undefined
  /** Lower-case name of the secret header, if there is one. */
  readonly secretHeader: string | undefined
}

const USUAL: PeerTerms = { resource: 'from-header' }

/** @throws {InputError} when a network is malformed, a secret short, or a peer could be anybody. */
export function createPeerTrust(options: PeerTrustOptions): PeerTrust {
  const isInNetworks = networkTest(options.networks)
  const isSecret = secretTest(options.secretHeader?.value)
  const peers = (options.peers ?? []).map(peerTest)
  return {
    secretHeader: options.secretHeader?.name.toLowerCase(),
    termsFor(peer, secret) {
      for (const { fits, terms } of peers) if (fits(peer, secret)) return terms
      return isSecret?.(secret) === true || isInNetworks(peer) ? USUAL : undefined
    },
  }
}

type PeerTest = { readonly terms: PeerTerms; readonly fits: (peer: string, secret: string | undefined) => boolean }

function peerTest({ networks, secret, resource }: TrustedPeer): PeerTest {
  const terms = { resource }
  const isSecret = secretTest(secret)
  if (networks.length === 0) {
    if (isSecret === undefined) {
      throw new InputError('Cannot trust a peer that has neither networks nor a secret: that is anybody', {
        hint: 'Say where it connects from, or what it proves itself with.',
      })
    }
    return { terms, fits: (_peer, given) => isSecret(given) }
  }
  const isInNetworks = networkTest(networks)
  return { terms, fits: (peer, given) => isInNetworks(peer) && (isSecret === undefined || isSecret(given)) }
}

/** `undefined`: there is no secret, and nothing proves anything. */
function secretTest(value: string | undefined): ((secret: string | undefined) => boolean) | undefined {
  if (value === undefined) return undefined
  const expected = Buffer.from(value)
  if (expected.length < 16) {
    throw new InputError('Cannot trust a secret header: its value is shorter than 16 bytes', {
      hint: 'Use a long random value, for example 32 random bytes in hex.',
    })
  }
  return (secret) => {
    if (secret === undefined) return false
    const given = Buffer.from(secret, 'latin1')
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
}

const ANSWERS_MAX = 1024

function networkTest(networks: readonly string[]): (peer: string) => boolean {
  const list = new BlockList()
  for (const network of networks) addNetwork(list, network)
  // A peer asks for every request and there are few peers: remembering the answer saves parsing the address each time.
  const answers = new Map<string, boolean>()
  return (peer) => {
    const known = answers.get(peer)
    if (known !== undefined) return known
    const family = isIP(peer)
    const answer = family !== 0 && list.check(peer, family === 4 ? 'ipv4' : 'ipv6')
    if (answers.size >= ANSWERS_MAX) answers.clear()
    answers.set(peer, answer)
    return answer
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
