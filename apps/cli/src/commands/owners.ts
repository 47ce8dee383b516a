import type { Command } from 'commander'
import type { Surroundings } from '../surroundings.ts'
import type { Finish } from '../finish.ts'
import { addOwnersBind } from './owners-bind.ts'
import { addOwnersInspect } from './owners-inspect.ts'
import { addOwnersList, addOwnersMap } from './owners-map.ts'
import { addOwnersVerify } from './owners-verify.ts'

/** `ascribe owners map|list|bind|verify|inspect`. */
export function configureOwners(owners: Command, surroundings: Surroundings, finish: Finish): void {
  addOwnersMap(owners, surroundings)
  addOwnersList(owners, surroundings)
  addOwnersBind(owners, surroundings)
  addOwnersVerify(owners, surroundings, finish)
  addOwnersInspect(owners, surroundings)
}
