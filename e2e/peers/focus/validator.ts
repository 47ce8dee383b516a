import { PeerUnavailable } from '../support/unavailable.ts'
import { installValidator } from './install.ts'
import type { InstalledValidator } from './install.ts'

/** The validator, or the reason for which the suite that needs it is skipped. */
export type ValidatorAvailability = { readonly installed: InstalledValidator; readonly skip: false } | { readonly skip: string }

export async function validator(): Promise<ValidatorAvailability> {
  try {
    return { installed: await installValidator(), skip: false }
  } catch (error) {
    if (error instanceof PeerUnavailable) return { skip: error.message }
    throw error
  }
}
