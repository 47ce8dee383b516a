import { AscribeError, InputError } from '@ascribe/kit'
import type { LineProblem } from '@ascribe/ledger'

/** A change of the directory that was refused as things stand. */
export class DirectoryConflictError extends AscribeError {
  override readonly code = 'DIRECTORY_CONFLICT'
}

/** The text is no directory source, or contradicts the ledger. Lists what is wrong with it, in the order of its lines; nothing was changed. */
export class DirectorySourceError extends InputError {
  override readonly code = 'DIRECTORY_SOURCE_INVALID'

  constructor(source: string, problems: readonly LineProblem[]) {
    const place = source.split('?', 1)[0] ?? source
    const lines = problems.map(({ line, message, hint }) => `  ${place}:${line}: ${message}; ${hint}`)
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super([`Cannot use the directory source ${place}: ${count}`, ...lines].join('\n'), {
      hint: 'Mend the lines above; nothing has been changed.',
    })
  }
}

/** Another process runs everything on this data directory. */
export class DataDirInUseError extends AscribeError {
  override readonly code = 'DATA_DIR_IN_USE'
}

/** A worker ended before it served. What it said of that stands on standard error. */
export class WorkerStartError extends AscribeError {
  override readonly code = 'GATEWAY_WORKER_START'
}
