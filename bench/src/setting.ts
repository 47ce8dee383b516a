import type { Peer } from './peer.ts'

/** What the sections of the ledger need; numbers are of records. */
export type LedgerSetting = Pick<Setting, 'scratch' | 'quick' | 'progress'> & {
  readonly records: number
  readonly backlog: number
  readonly soakRecords: number
}

/** What all sections with a gateway share. */
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
