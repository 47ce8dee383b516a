import { AscribeError, InputError } from '@ascribe/kit'

/** The API server lacks what the controller works on, or does not let it. Says what to apply; nothing was started. */
export class ClusterNotReadyError extends InputError {
  override readonly code = 'CONTROLLER_CLUSTER_NOT_READY'
}

/** The key that marks servers as ours is there and cannot be used. */
export class ProofKeyError extends AscribeError {
  override readonly code = 'CONTROLLER_PROOF_KEY_INVALID'
}
