import type { LimitsLeft } from '@ascribe/admission'
import type { KeyDirectory } from '@ascribe/identity'
import type { Clock, Logger } from '@ascribe/kit'
import { AdmissionControl } from './admission-control.ts'
import { admissionPlaces, followAdmission } from './admission-files.ts'
import type { AdmissionPlaces } from './admission-files.ts'

export type OpenAdmissionOptions = {
  readonly config: { readonly gateways?: number; readonly limits?: LimitsLeft }
  readonly places: { readonly policy: string; readonly admission?: AdmissionPlaces }
  readonly keys: Pick<KeyDirectory, 'ownerOf'>
  /** This gateway, as its journal calls it. */
  readonly writer: string
  readonly clock: Clock
  readonly logger: Logger
}

export type OpenAdmission = AsyncDisposable & { readonly control: AdmissionControl; readonly retire: () => void }

/** Budgets and rate limits of one gateway, which follow the snapshot and tell what they need. */
export function openAdmission({ config, places, keys, writer, clock, logger }: OpenAdmissionOptions): OpenAdmission {
  const control = new AdmissionControl({
    writer,
    ownerOf: (authId) => keys.ownerOf(authId),
    gateways: config.gateways ?? 1,
    limits: config.limits,
  })
  const following = followAdmission({
    places: places.admission ?? admissionPlaces(places.policy),
    writer,
    logger,
    onNews: (news) => control.follow(news),
    report: () => control.report(clock()),
    giveBack: () => control.giveBack(),
  })
  return { control, retire: () => following.retire(), [Symbol.asyncDispose]: () => following[Symbol.asyncDispose]() }
}
