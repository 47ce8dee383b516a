import { errorCode } from '@ascribe/kit'
import { EXIT } from './exit-codes.ts'

/** How the one who reads our output is. */
export type ReaderWatch = {
  /** Why nothing more can be written; `undefined` while all is well. */
  readonly fault: string | undefined
  /** What that means for the exit code. */
  readonly exitCode: number
}

/**
 * Keeps a reader that leaves (`| head`), or a full disk, from ending the process in the midst of its work: what it holds is
 * released as always, and only then it ends. A reader that has left has what it wanted; a disk that is full has not.
 */
export function watchReader(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): ReaderWatch {
  let fault: string | undefined
  const onOutput = (error: Error): void => {
    fault ??= errorCode(error) ?? error.message
    if (fault !== 'EPIPE') stderr.write(`error: Cannot write the result: ${fault}\n`)
  }
  const onNotes = (): void => {
    // Nobody reads our notes: there is nobody to tell.
  }
  stdout.on('error', onOutput)
  stderr.on('error', onNotes)
  return {
    get fault() {
      return fault
    },
    get exitCode() {
      return fault === 'EPIPE' ? EXIT.ok : EXIT.failed
    },
  }
}
