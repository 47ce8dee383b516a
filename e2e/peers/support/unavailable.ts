/** A peer that cannot run on this machine, and why, on one line: the reason for which its suite is skipped. */
export class PeerUnavailable extends Error {
  override readonly name = 'PeerUnavailable'

  constructor(peer: string, reason: string, options?: ErrorOptions) {
    super(`peer cannot be had: ${peer}: ${reason}`, options)
  }
}
