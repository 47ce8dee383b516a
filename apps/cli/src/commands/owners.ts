import type { Command } from 'commander'
import type { Surroundings } from '../surroundings.ts'
import { addOwnersInspect } from './owners-inspect.ts'

/** `ascribe owners inspect`. */
export function configureOwners(owners: Command, surroundings: Surroundings): void {
  addOwnersInspect(owners, surroundings)
}
