/** Guards every mutation of the world outside Kubernetes: two leaders must never both act. */
export type Fence = {
  /**
   * Passes only while, by the monotonic and by the wall clock, the lease still holds for `deadlineMs`, the longest that the request
   * may take, plus the margin. @throws {FencedError}
   */
  check(deadlineMs: number): void
  /** How long a request begun now may take; 0 or less: none may begin. */
  remainingMs(): number
}

export type LeaderElection = {
  isLeader(): boolean
  /** Who holds the lease as far as we know. */
  holder(): string | undefined
  readonly fence: Fence
  /**
   * Waits for the lease, then runs `lead` with a signal that aborts as soon as leadership ends. Resolves after `signal` aborted:
   * `lead` has settled then, and the lease is released. @throws {LeadershipLostError} when it was lost: the process has to end.
   */
  run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void>
}
