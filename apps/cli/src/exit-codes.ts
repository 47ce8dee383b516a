/** What an exit code of `ascribe` means. Scripts rely on them. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** It was tried and did not work, or the answer is no: differences found, invariants broken, something refused. */
  failed: 1,
  /** The call, a file or the configuration is wrong; nothing was tried. */
  usage: 2,
  /** Something of somebody else was examined, and it does not do what it says (`conformance`). */
  faults: 3,
  /** A bug: an invariant of the program itself does not hold. */
  bug: 70,
} as const
