import { callStep } from './call-step.ts'
import type { StepOptions } from './call-step.ts'
import { AnswerInvalidError } from './errors.ts'
import { isUuid } from './owner.ts'
import { requestIdOf } from './refusal.ts'
import type { RegionEndpoint } from './region-table.ts'
import type { SealedText } from './sealed-text.ts'
import { parseJson, recordOf } from './token-claims.ts'

/** Who a token really acts as. */
export type Profile = {
  /** In lower case. */
  readonly uuid: string
  readonly email: string
  /** `REGULAR`, `TRIAL`, … as the cloud has it; `undefined` when it does not say. */
  readonly state: string | undefined
  readonly requestId: string | undefined
}

const FIELD_LENGTH_MAX = 320

/** `GET /profile/` at the host that issued the token: the account that its bearer really is in. Throws as step 3 does. */
export async function readProfile(
  { endpoint, token }: { readonly endpoint: RegionEndpoint; readonly token: SealedText },
  options: StepOptions,
): Promise<Profile> {
  const headers = { authorization: `Bearer ${token.reveal()}` }
  const response = await callStep('profile', { method: 'GET', url: new URL('profile/', endpoint.apiUrl), headers, body: '' }, options)
  const profile = recordOf(parseJson(response.body))
  const text = (name: string): string | undefined => {
    const value = profile?.[name]
    return typeof value === 'string' && value !== '' && value.length <= FIELD_LENGTH_MAX ? value : undefined
  }
  const [uuid, email] = [text('uuid')?.toLowerCase(), text('email')]
  const requestId = requestIdOf(response)
  // It goes into audit records and bindings: what is no id must not get there.
  if (uuid === undefined || !isUuid(uuid) || email === undefined)
    throw new AnswerInvalidError('Cannot tell whose token this is: the profile names no uuid or no email', {
      step: 'profile',
      reason: 'answer_invalid',
      status: response.status,
      requestId,
    })
  return { uuid, email, state: text('state'), requestId }
}
