import { statSync } from 'node:fs'
import type { Logger } from '@ascribe/kit'
import type { Route } from '../routes.ts'
import type { RouteBook } from './route-book.ts'

/** How often the file is looked at: a stat, some microseconds. */
const LOOK_MS = 500

/** Where the routes of the configuration come from. */
export type RouteSource = {
  /** A change of this file is followed; absent: only {@link FollowedFile.reread} is. */
  readonly file?: string | undefined
  /** @throws for a configuration that cannot be used */
  read(): readonly Route[]
}

/** Follows the routes of the configuration. What cannot be read or used is refused loudly, once, and what was in force stays. */
export class FollowedFile implements Disposable {
  readonly #source: RouteSource
  readonly #book: RouteBook
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout
  #stamp: string | undefined

  constructor(source: RouteSource, { book, logger }: { readonly book: RouteBook; readonly logger: Logger }) {
    this.#source = source
    this.#book = book
    this.#logger = logger
    this.#stamp = stampOf(source.file)
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Reads it again whether or not the file has changed: what it names may have. */
  reread(): void {
    this.#stamp = stampOf(this.#source.file)
    try {
      this.#book.reroute(this.#source.read())
    } catch (error) {
      this.#book.refuse(error)
      this.#logger.error('routes of the configuration cannot be used, the last good ones stay in force', { file: this.#source.file, error })
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const stamp = stampOf(this.#source.file)
    // One that is gone for a moment is being replaced.
    if (stamp !== undefined && stamp !== this.#stamp) this.reread()
  }
}

/** Changes whenever the file does; nanosecond times, since two writes fit into a millisecond. */
function stampOf(file: string | undefined): string | undefined {
  const stats = file === undefined ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? undefined : `${stats.mtimeNs}.${stats.ino}.${stats.size}`
}
