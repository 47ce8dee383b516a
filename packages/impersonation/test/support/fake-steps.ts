import { SealedText } from '../../src/sealed-text.ts'
import type { MintSteps } from '../../src/mint-steps.ts'
import type { WireStep } from '../../src/refusal.ts'
import type { TokenResponse } from '../../src/token-response.ts'

/** One call of a step as it was made. */
export type StepCall = { readonly step: WireStep; readonly ownerEmail: string | undefined; readonly text: string }

export type FakeSteps = MintSteps & {
  readonly calls: StepCall[]
  count(step: WireStep): number
  /** Comes before each step's own answer: waits, or throws what the step shall fail with. */
  before: (step: WireStep, signal: AbortSignal) => Promise<void> | void
  lifeMs: Record<'service_token' | 'rpt' | 'impersonate', number>
  /** Who stands behind an address. */
  uuidOf: (ownerEmail: string) => string
}

/** Steps that answer at once, as a cloud with every address in the world would; every call is remembered. */
export function createFakeSteps(uuidOf: (ownerEmail: string) => string): FakeSteps {
  const calls: StepCall[] = []
  const users = new Map<string, string>()
  let serial = 0
  const answer = (lifeMs: number, text: string): TokenResponse => ({
    token: new SealedText(text),
    lifeMs,
    lifeFrom: 'expires_in',
    claims: undefined,
  })
  const enter = async (
    step: WireStep,
    signal: AbortSignal,
    { ownerEmail, text = '' }: { ownerEmail?: string; text?: string } = {},
  ): Promise<void> => {
    calls.push({ step, ownerEmail, text })
    signal.throwIfAborted()
    await steps.before(step, signal)
    signal.throwIfAborted()
  }
  const steps: FakeSteps = {
    calls,
    count: (step) => calls.filter((call) => call.step === step).length,
    before: () => {},
    lifeMs: { service_token: 300_000, rpt: 300_000, impersonate: 300_000 },
    uuidOf,
    async serviceToken(clientSecret, signal) {
      await enter('service_token', signal, { text: clientSecret.reveal() })
      return answer(steps.lifeMs.service_token, `sa-${(serial += 1)}`)
    },
    async rpt(serviceToken, signal) {
      await enter('rpt', signal, { text: serviceToken.reveal() })
      return answer(steps.lifeMs.rpt, `rpt-${(serial += 1)}-of-${serviceToken.reveal()}`)
    },
    async impersonate({ rpt, serviceToken, ownerEmail }, signal) {
      await enter('impersonate', signal, { ownerEmail, text: `${rpt.reveal()} ${serviceToken.reveal()}` })
      const text = `imp-${(serial += 1)}`
      users.set(text, ownerEmail)
      return answer(steps.lifeMs.impersonate, text)
    },
    async profile({ token }, signal) {
      const ownerEmail = users.get(token.reveal()) ?? ''
      await enter('profile', signal, { ownerEmail })
      return { uuid: steps.uuidOf(ownerEmail), email: ownerEmail, state: 'REGULAR', requestId: 'req-1' }
    },
  }
  return steps
}
