export { bindOwner, bindingNameOf } from './clusters/owner-binding.ts'
export type { OwnerBindingRequest, OwnerBindingResult } from './clusters/owner-binding.ts'
