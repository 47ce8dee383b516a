import type { Output } from '../output.ts'
import { visible } from '../visible.ts'
import type { StepSeen } from './observed-steps.ts'
import type { WhoAmI } from './who-am-i.ts'

/** The answer for programs. Times are in milliseconds. */
export function whoAmIJson(found: WhoAmI): object {
  const { mode, region, origin, issuer, clientId, steps, remarks } = found
  const facts = {
    mode,
    region,
    origin,
    issuer,
    client_id: clientId,
    steps: steps.map(({ step, tookMs, lifeMs, lifeFrom, permissions }) => ({
      step,
      took_ms: tookMs,
      life_ms: lifeMs,
      life_from: lifeFrom,
      permissions,
    })),
    remarks,
  }
  if (found.ok) return { ok: true, usable: found.isUsable, account: found.account, ...facts }
  const { step, reason, why, mend, status, retryAfterMs, requestId, message } = found.failure
  const failure = { step, reason, why, mend, status, retry_after_ms: retryAfterMs, request_id: requestId, message }
  return { ok: false, usable: false, failure, ...facts }
}

const STEP_WORDS: Readonly<Record<StepSeen['step'], string>> = {
  service_token: 'service-account token',
  rpt: 'RPT (UMA ticket)',
  impersonate: 'impersonated token',
  profile: 'profile',
}

const LIFE_WORDS = {
  expires_in: 'by expires_in',
  claims: 'by its own claims',
  both: 'by expires_in and its own claims',
  assumed: 'assumed: it does not say',
} as const

/** The answer for people. */
export function printWhoAmI(out: Output, found: WhoAmI): void {
  const { style } = out
  if (found.ok) {
    const { uuid, email, state, balance, currency } = found.account
    out.line(`${found.isUsable ? style.good('✓') : style.bad('✗')} ${visible(email)} in ${found.region}`)
    const rows = [
      ['account', uuid],
      ['state', state ?? 'not said'],
      ...(balance === undefined ? [] : [['balance', `${balance} ${currency ?? ''}`.trim()]]),
    ]
    for (const [name = '', value = ''] of rows) out.line(`  ${name.padEnd(WIDTH)}${visible(value)}`)
  } else {
    out.line(`${style.bad('✗')} ${visible(found.failure.why)}`)
  }
  printWay(out, found)
  for (const remark of found.remarks) out.line(`  ${style.warn('!')} ${visible(remark)}`)
  if (found.ok) return
  const { mend, message, requestId, retryAfterMs } = found.failure
  out.line(`  ${style.dim(message)}`)
  if (mend !== undefined) out.line(`  ${style.dim(mend)}`)
  if (retryAfterMs !== undefined) out.line(`  ${style.dim(`again in ${Math.ceil(retryAfterMs / 1000)} s`)}`)
  if (requestId !== undefined) out.line(`  ${style.dim(`request id of the cloud: ${requestId}`)}`)
}

const WIDTH = 24

function printWay(out: Output, { mode, issuer, clientId, origin, steps }: WhoAmI): void {
  const line = (name: string, value: string): void => out.line(`  ${name.padEnd(WIDTH)}${value}`)
  if (mode === 'legacy') line('mode', 'legacy: user name and password, one account for everything')
  if (issuer !== undefined) line('issuer', `${issuer} as ${clientId}`)
  if (origin !== undefined) line('host', origin)
  for (const { step, tookMs, lifeMs, lifeFrom } of steps) {
    const life = lifeMs === undefined || lifeFrom === undefined ? '' : `lives ${seconds(lifeMs)} (${LIFE_WORDS[lifeFrom]}), `
    line(STEP_WORDS[step], `${life}took ${tookMs} ms`)
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
