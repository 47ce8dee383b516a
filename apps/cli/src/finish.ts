/** Sets the exit code of a command that ran to its end. */
export type Finish = (exitCode: number) => void
