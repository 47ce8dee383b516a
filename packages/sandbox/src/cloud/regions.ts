import { InputError } from '@ascribe/kit'

/** Where a request went: the OAuth server, or a region's API under its `direct` name or under its plain one. */
export type Place = { readonly kind: 'oauth' } | { readonly kind: 'direct' | 'other'; readonly region: string }

/** A region's addresses. `other` is the trap: a bearer is taken there and acts as somebody else. */
export type RegionUrls = {
  readonly api: string
  readonly other: string
  /** The same two by name; `*.localhost` is loopback (RFC 6761), though Node's resolver does not know that. */
  readonly name: string
  readonly otherName: string
}

const REGION = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
/** Loopback addresses given out: the first is the OAuth server's, each region has two more. */
const FIRST_REGION_ADDRESS = 2
const REGIONS_MAX = 100

/** Tells by name and by local address which host is meant. */
export class RegionTable {
  readonly names: readonly string[]

  constructor(names: readonly string[]) {
    for (const name of names) {
      if (!REGION.test(name))
        throw new InputError(`Cannot make a region of '${name}': a region is a host label of small letters and digits`)
    }
    if (names.length === 0 || names.length > REGIONS_MAX || new Set(names).size !== names.length)
      throw new InputError(`Cannot use ${names.length} regions: give 1 to ${REGIONS_MAX} different ones`)
    this.names = names
  }

  /** The loopback address of one of a region's two hosts. */
  addressOf(region: string, kind: 'direct' | 'other'): string {
    return `127.0.0.${FIRST_REGION_ADDRESS + 2 * this.names.indexOf(region) + (kind === 'direct' ? 0 : 1)}`
  }

  /** All of them. */
  addresses(): readonly string[] {
    return this.names.flatMap((region) => [this.addressOf(region, 'direct'), this.addressOf(region, 'other')])
  }

  urls(region: string, { port, hasAddresses }: { readonly port: number; readonly hasAddresses: boolean }): RegionUrls {
    const name = `http://direct.${region}.localhost:${port}`
    const otherName = `http://${region}.localhost:${port}`
    if (!hasAddresses) return { api: name, other: otherName, name, otherName }
    const at = (kind: 'direct' | 'other'): string => `http://${this.addressOf(region, kind)}:${port}`
    return { api: at('direct'), other: at('other'), name, otherName }
  }

  /** Which place is addressed: a name of ours in `Host` decides, else the address that was called. */
  placeOf(host: string, localAddress: string): Place | undefined {
    const name = host.replace(/:\d+$/, '').toLowerCase()
    const byName = /^(direct\.)?([a-z0-9-]+)\.localhost$/.exec(name)
    if (byName !== null) {
      const [, direct, region = ''] = byName
      if (direct === undefined && region === 'oauth') return { kind: 'oauth' }
      return this.names.includes(region) ? { kind: direct === undefined ? 'other' : 'direct', region } : undefined
    }
    for (const region of this.names) {
      for (const kind of ['direct', 'other'] as const) if (this.addressOf(region, kind) === localAddress) return { kind, region }
    }
    return { kind: 'oauth' }
  }
}
