import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseSnapshot } from '@ascribe/admission'
import type { AccountReport, AdmissionSnapshot, LeaseReport } from '@ascribe/admission'
import type { Logger } from '@ascribe/kit'

/** How often the snapshot is looked at, in milliseconds. */
const LOOK_MS = 100
/** How often something is told, if there is something. */
const TELL_MS = 200
/** A gateway that has nothing to tell says so often that it lives; the settler takes it for dead after some times as long. */
const ALIVE_MS = 2000

export type AdmissionPlaces = {
  /** The admission snapshot, which the settler writes. */
  readonly snapshot: string
  /** Folder of lease reports, one file for each writer. */
  readonly reports: string
}

/** Where both lie, unless somebody says otherwise: beside the policy snapshot. */
export function admissionPlaces(policy: string): AdmissionPlaces {
  return { snapshot: join(dirname(policy), 'admission.json'), reports: join(dirname(policy), 'leases') }
}

/** What there is of a snapshot: `unreadable` is one that is there and cannot be used, with no earlier one in force. */
export type SnapshotNews = { readonly kind: 'snapshot'; readonly snapshot: AdmissionSnapshot } | { readonly kind: 'unreadable' }

/** A gateway that follows the snapshot, until it is disposed. */
export type Following = AsyncDisposable & {
  /** It takes no new connections: says so, and gives back what is left of its leases once those that are open have had their time. */
  retire(): void
}

/** Longer than a connection of a gateway that retires may bring another request. */
const GIVE_BACK_MS = 20_000

/** Follows the snapshot and tells of leases, until it is disposed. Never waits for anybody. */
export function followAdmission(options: {
  readonly places: AdmissionPlaces
  readonly writer: string
  readonly logger: Logger
  readonly onNews: (news: SnapshotNews) => void
  /** `undefined`: there is nothing to tell, not even that this gateway lives. */
  readonly report: () => readonly AccountReport[] | undefined
  /** Gives back what of the leases is not reserved. */
  readonly giveBack: () => void
}): Following {
  const { places, writer, logger, onNews, report, giveBack } = options
  let isRetiring = false
  const path = join(places.reports, `${writer}.json`)
  let stamp: string | undefined
  let inForce: { readonly ledger: string; readonly version: number } | undefined
  let told = ''
  let toldAt = -Infinity
  let telling: Promise<void> | undefined

  function look(): void {
    const now = stampOf(places.snapshot)
    if (now === undefined || now === stamp) return
    stamp = now
    const snapshot = readSnapshot(places.snapshot)
    if (snapshot === undefined) {
      refuse()
      return
    }
    if (inForce !== undefined && inForce.ledger === snapshot.ledger && snapshot.version < inForce.version) return
    try {
      onNews({ kind: 'snapshot', snapshot })
      inForce = { ledger: snapshot.ledger, version: snapshot.version }
    } catch (error) {
      // Of a newer program, perhaps. It must not end this one, which looks at it again at its next start.
      refuse(error)
    }
  }

  function refuse(error?: unknown): void {
    logger.error('admission snapshot cannot be used, the last good one stays in force', { path: places.snapshot, error })
    if (inForce === undefined) onNews({ kind: 'unreadable' })
  }

  function tell(): void {
    const accounts = telling === undefined ? report() : undefined
    if (accounts === undefined) return
    const text = JSON.stringify({ writer, ...(isRetiring && { retiring: true }), accounts } satisfies LeaseReport)
    const now = performance.now()
    if (text === told && now - toldAt < ALIVE_MS) return
    telling = put(path, text)
      .then(() => {
        told = text
        toldAt = now
      })
      .catch((error: unknown) => logger.warn('leases cannot be told of', { error }))
      .finally(() => {
        telling = undefined
      })
  }

  look()
  const timers: NodeJS.Timeout[] = [setInterval(look, LOOK_MS).unref(), setInterval(tell, TELL_MS).unref()]
  tell()
  return {
    retire() {
      if (isRetiring) return
      isRetiring = true
      timers.push(setTimeout(giveBack, GIVE_BACK_MS).unref())
      tell()
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer)
      await telling
      await sayClosed(path, writer, report())
    },
  }
}

/** Nothing more is granted to this writer. What it holds is free once its journal was read; then the settler removes the file. */
async function sayClosed(path: string, writer: string, accounts: readonly AccountReport[] | undefined): Promise<void> {
  if (accounts === undefined) return
  await put(path, JSON.stringify({ writer, closed: true, accounts } satisfies LeaseReport)).catch(() => {})
}

async function put(path: string, text: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.tmp`
  await writeFile(temporary, text, { mode: 0o600 })
  await rename(temporary, path)
}

function readSnapshot(path: string): AdmissionSnapshot | undefined {
  try {
    return parseSnapshot(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** Changes whenever the file does. */
function stampOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : `${stats.mtimeNs}.${stats.ino}.${stats.size}`
}
