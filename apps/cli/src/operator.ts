import { userInfo } from 'node:os'
import type { Surroundings } from './surroundings.ts'

/** Who works here, as far as the machine knows: written beside what is changed. */
export function operatorOf({ env }: Pick<Surroundings, 'env'>): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a number that nobody has named.
    return env['USER'] ?? 'unknown'
  }
}
