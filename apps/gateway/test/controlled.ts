import { mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { windowOf } from '@ascribe/admission'
import type { Account, AdmissionSnapshot, LeaseReport } from '@ascribe/admission'
import { ask, startTestGateway, until } from './support.ts'
import type { GatewayOptions, TestGateway } from './support.ts'

export type ControlledGateway = {
  readonly gateway: TestGateway
  /** Puts rules in force, with so much granted to this gateway of each budget. */
  readonly rule: (fields: Partial<AdmissionSnapshot>, granted?: number, spent?: number) => Promise<void>
  /** What the gateway tells of its last account. */
  readonly told: () => Promise<LeaseReport['accounts'][number] | undefined>
}

/** A gateway whose budgets and limits are the test's. */
export async function startControlled(t: TestContext, options: GatewayOptions): Promise<ControlledGateway> {
  const dir = await mkdtemp(join(tmpdir(), 'ascribe-admission-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const places = { snapshot: join(dir, 'admission.json'), reports: join(dir, 'leases') }
  const gateway = await startTestGateway(t, { ...options, admission: places })
  let version = 0
  const writer = async (): Promise<string> => ((await readdir(places.reports).catch(() => []))[0] ?? '').replace(/\.json.*/, '')
  const put = async (snapshot: Partial<AdmissionSnapshot>): Promise<void> => {
    version += 1
    const whole = { ledger: 'l', gateways: 1, budgets: [], accounts: [], limits: [], prices: [], subjects: {}, ...snapshot, version }
    await writeFile(`${places.snapshot}.tmp`, JSON.stringify(whole))
    await rename(`${places.snapshot}.tmp`, places.snapshot)
  }
  const told = async (): Promise<LeaseReport['accounts'][number] | undefined> => {
    const name = await writer()
    return name === ''
      ? undefined
      : (JSON.parse(await readFile(join(places.reports, `${name}.json`), 'utf8')) as LeaseReport).accounts.at(-1)
  }
  return {
    gateway,
    told,
    async rule(fields, granted = 0, spent = 0) {
      await put({})
      await until('the gateway tells of itself', async () => (await writer()) !== '')
      const name = await writer()
      const accounts = (fields.budgets ?? []).map((budget): Account => ({
        budget: budget.id,
        subject: budget.subject,
        start: windowOf(budget.period, Date.now()).start,
        limit: String(spent + granted),
        spent: String(spent),
        leases: { [name]: { granted: String(granted), consumed: '0' } },
      }))
      await put({ accounts, ...fields })
      // It has the leases when it tells of them; limits come with them.
      if (accounts.length > 0) await until('the leases are known', async () => (await told())?.granted === String(granted))
      else await until('the limits are known', async () => (await ask(gateway.url)).headers['x-ratelimit-limit-requests'] !== undefined)
    },
  }
}
