import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseReport, parseSnapshot } from '@ascribe/admission'
import type { AdmissionSnapshot, LeaseReport } from '@ascribe/admission'
import { AssertionError } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { answerAdmission, askAdmission } from '@ascribe/transport'
import type { Nats } from '@ascribe/transport'
import { readReports, removeReport } from './lease-reports.ts'
import { pause } from './pause.ts'
import { putWhole } from './put-whole.ts'

/** How often a machine tells and asks; with the gateway's own 300 ms a lease that is wanted comes within a second or so. */
const ASK_MS = 250
const AGAIN_MS = 2000
/** As for reports on a disk: a machine that has been silent for so long is given nothing more. */
const FRESH_MS = 10_000

/** What a machine says: what its gateways tell, which writers are gone for good, and which snapshot it has. */
type Question = {
  readonly reports: readonly LeaseReport[]
  readonly closed: readonly string[]
  readonly gone: readonly string[]
  readonly have?: { readonly ledger: string; readonly version: number }
}

/** What machines have said to this settler lately. */
export type RemoteGateways = {
  read(now: number): { readonly reports: readonly LeaseReport[]; readonly closed: readonly string[]; readonly gone: readonly string[] }
  /** Puts a snapshot where machines are answered from. */
  tell(snapshot: AdmissionSnapshot): void
  /** Answers until `signal` fires; waits out every error. */
  run(signal: AbortSignal): Promise<void>
}

export function createRemoteGateways(nats: Nats, logger: Logger): RemoteGateways {
  const heard = new Map<string, { readonly report: LeaseReport; readonly at: number }>()
  const [closed, gone] = [new Set<string>(), new Set<string>()]
  let snapshot: AdmissionSnapshot | undefined

  function answer(text: string): string {
    const question = JSON.parse(text) as Question
    const now = Date.now()
    for (const each of question.reports) {
      const report = parseReport(JSON.stringify(each))
      if (report !== undefined) heard.set(report.writer, { report, at: now })
    }
    for (const writer of question.closed) closed.add(writer)
    for (const writer of question.gone) gone.add(writer)
    const { have } = question
    const isNews = snapshot !== undefined && (have === undefined || have.ledger !== snapshot.ledger || have.version < snapshot.version)
    return isNews ? JSON.stringify(snapshot) : ''
  }

  return {
    read(now) {
      for (const [writer, { at }] of heard) if (now - at > FRESH_MS || closed.has(writer) || gone.has(writer)) heard.delete(writer)
      return { reports: [...heard.values()].map(({ report }) => report), closed: [...closed], gone: [...gone] }
    },
    tell(news) {
      snapshot = news
    },
    async run(signal) {
      using answering = new DisposableStack()
      while (!signal.aborted) {
        try {
          answering.use(await answerAdmission(nats, answer))
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        } catch (error) {
          if (error instanceof AssertionError) throw error
          logger.warn('questions about budgets cannot be answered now', { error })
          await pause(AGAIN_MS, signal)
        }
      }
    },
  }
}

/** Tells settlers of this machine's gateways, and keeps its admission snapshot up to date, until `signal` fires. Waits out every error. */
export async function followAdmissionFile(
  nats: Nats,
  {
    policy,
    journal,
    logger,
    signal,
  }: { readonly policy: string; readonly journal: string; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const path = join(dirname(policy), 'admission.json')
  const folder = join(dirname(policy), 'leases')
  let have = snapshotAt(path)
  let failing = false
  while (!signal.aborted) {
    try {
      const { reports, closed, writers } = await readReports(folder, Date.now())
      const live = new Set(reports.map(({ writer }) => writer))
      // Its folder goes when the ledger has all of it.
      const gone = writers.filter((writer) => !live.has(writer) && !existsSync(join(journal, writer)))
      const question: Question = {
        reports,
        closed,
        gone,
        ...(have !== undefined && { have: { ledger: have.ledger, version: have.version } }),
      }
      const answer = await askAdmission(nats, JSON.stringify(question))
      const news = answer === '' ? undefined : parseSnapshot(answer)
      if (news !== undefined) {
        await putWhole(path, JSON.stringify(news))
        have = news
      }
      for (const writer of gone) await removeReport(folder, writer)
      failing = false
      await pause(ASK_MS, signal)
    } catch (error) {
      if (error instanceof AssertionError) throw error
      if (!failing) logger.warn('budgets and limits cannot be asked for, the last ones stay in force', { error })
      failing = true
      await pause(AGAIN_MS, signal)
    }
  }
}

function snapshotAt(path: string): AdmissionSnapshot | undefined {
  try {
    return parseSnapshot(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
