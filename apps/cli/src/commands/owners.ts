import type { Command } from 'commander'
import type { Surroundings } from '../surroundings.ts'
import { addOwnersInspect } from './owners-inspect.ts'
import { addOwnersMap } from './owners-map.ts'

/** `ascribe owners map|list|inspect`. */
export function configureOwners(owners: Command, surroundings: Surroundings): void {
  addOwnersMap(owners, surroundings)
  addOwnersInspect(owners, surroundings)
}
