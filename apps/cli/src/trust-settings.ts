import { z } from 'zod'
import type { PeerTerms, PeerTrustOptions } from '@ascribe/identity'
import { cidrList, secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** Whose identity headers the gateway believes, as the configuration has it. */
export type TrustSettings = {
  readonly trust_headers_from: readonly string[]
  readonly edge_secret_header: string
  readonly edge_secret?: Secret | undefined
  readonly trusted_peers: readonly TrustedPeerSettings[]
}

/** An edge with terms of its own: one of its networks and, where there is a secret, that as well. */
export type TrustedPeerSettings = PeerTerms & {
  readonly networks: readonly string[]
  readonly secret?: Secret | undefined
}

export const TrustedPeerSchema: z.ZodType<TrustedPeerSettings, unknown> = z
  .strictObject({
    networks: cidrList().default([]),
    secret: secret().optional(),
    resource: z.enum(['from-header', 'from-model']).default('from-header'),
  })
  .refine(({ networks, secret: proof }) => networks.length > 0 || proof !== undefined, 'must have networks, a secret, or both')

export function trustOf(settings: TrustSettings): PeerTrustOptions {
  const { trust_headers_from: networks, edge_secret: value, edge_secret_header: name, trusted_peers: peers } = settings
  const hasSecret = value !== undefined || peers.some((peer) => peer.secret !== undefined)
  return {
    networks,
    ...(hasSecret && { secretHeader: { name, ...(value !== undefined && { value: value.reveal() }) } }),
    peers: peers.map((peer) => ({
      networks: peer.networks,
      resource: peer.resource,
      ...(peer.secret !== undefined && { secret: peer.secret.reveal() }),
    })),
  }
}
