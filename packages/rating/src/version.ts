import type { Instant } from '@ascribe/units'

/** When a version of the price book is in force from, and in which order versions were applied. */
export type Dated = { readonly effectiveFrom: Instant; readonly sequence: number }

/**
 * The version in force at an instant: the one with the latest `effectiveFrom` that is not after it; of two with the same,
 * the one applied later (greater `sequence`). `undefined` before the first. Takes the versions in any order.
 */
export function versionAt<Version extends Dated>(versions: readonly Version[], at: Instant): Version | undefined {
  let inForce: Version | undefined
  for (const version of versions) {
    if (version.effectiveFrom <= at && (inForce === undefined || supersedes(version, inForce))) inForce = version
  }
  return inForce
}

function supersedes(version: Dated, other: Dated): boolean {
  if (version.effectiveFrom !== other.effectiveFrom) return version.effectiveFrom > other.effectiveFrom
  return version.sequence > other.sequence
}
