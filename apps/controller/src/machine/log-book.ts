import type { CloudSigma, LogEntry } from '@ascribe/cloudsigma'
import type { Clocks } from '@ascribe/kube'
import type { AccountPin } from '../authority/pin.ts'

/** The cloud's own log of an account, shared: it is read whole, and every machine that changed unseen wants it. */
export type LogBook = {
  /** As it was at `at` (wall clock) or later. */
  read(request: { readonly pin: AccountPin; readonly at: number; readonly cloud: () => Promise<CloudSigma> }): Promise<readonly LogEntry[]>
}

const ACCOUNTS_MAX = 1_000

export function createLogBook(clocks: Pick<Clocks, 'wall'>): LogBook {
  const reads = new Map<string, { readonly begunAt: number; readonly lines: Promise<readonly LogEntry[]> }>()
  return {
    read({ pin, at, cloud }) {
      const key = `${pin.kind} ${pin.userUUID} ${pin.region}`
      const last = reads.get(key)
      if (last !== undefined && last.begunAt > at) return last.lines
      const read = { begunAt: clocks.wall(), lines: cloud().then((client) => client.account.logs()) }
      if (reads.size >= ACCOUNTS_MAX) reads.delete(reads.keys().next().value ?? '')
      reads.set(key, read)
      read.lines.catch(() => reads.get(key) === read && reads.delete(key))
      return read.lines
    },
  }
}
