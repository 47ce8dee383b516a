import type { Peer } from './peer.ts'

/** What all sections share. */
export type Setting = {
  readonly peer: Peer
  /** Compiled and downloaded things, kept between runs. */
  readonly cache: string
  /** On the disk that is measured; removed at the end. */
  readonly scratch: string
  /** A sanity run: the numbers are there, and rough. */
  readonly quick: boolean
  readonly soakSeconds: number
  /** Says what is being done. */
  readonly progress: (what: string) => void
  /** Says what cannot be measured here, once. */
  readonly missing: (what: string) => void
}
