import type { ChargeRow } from './rate-groups.ts'

/** The columns by which rows of `charge` and `adjustment` differ, but for their hour and rate. */
export type ChargeColumns = {
  readonly organization_id: string
  readonly auth_id: string
  readonly user_id: string | null
  readonly group_id: string | null
  readonly resource_id: string
  readonly model: string
  readonly base_model: string | null
  readonly meter: string
  readonly price_sequence: number
}

/** What a charge or an adjustment is of: the same in the words of the program. */
export type ChargeSubject = Pick<
  ChargeRow,
  'organizationId' | 'authId' | 'userId' | 'groupId' | 'resourceId' | 'model' | 'baseModel' | 'meter' | 'priceSequence'
>

export function chargeSubjectOf(row: ChargeColumns): ChargeSubject {
  return {
    organizationId: row.organization_id,
    authId: row.auth_id,
    userId: row.user_id,
    groupId: row.group_id,
    resourceId: row.resource_id,
    model: row.model,
    baseModel: row.base_model,
    meter: row.meter,
    priceSequence: row.price_sequence,
  }
}
