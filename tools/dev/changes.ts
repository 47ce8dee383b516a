import { watch } from 'node:fs'
import { join } from 'node:path'

/** Tells when sources change. */
export type Changes = Disposable & {
  /** Resolves with the path of a file, some time after it changed; at once if one changed since the last call. */
  next(): Promise<string>
}

/** An editor writes a file in several steps, and a save of all files writes many: they make one restart. */
const QUIET_MS = 150
/** What a running process reads of its sources. Tests are run, not restarted. */
const MATTERS = /(?<!\.test)\.ts$|\.(sql|ya?ml|json)$/
const ELSEWHERE = /(^|\/)(node_modules|dist|test)\//

/** Watches folders and all that is below them. */
export function watchChanges(folders: readonly string[]): Changes {
  let pending: string | undefined
  let waiting = Promise.withResolvers<string>()
  let timer: NodeJS.Timeout | undefined

  const settle = (): void => {
    if (pending === undefined) return
    waiting.resolve(pending)
  }
  const watchers = folders.map((folder) =>
    watch(folder, { recursive: true }, (_event, name) => {
      const path = name?.replaceAll('\\', '/') ?? ''
      if (!MATTERS.test(path) || ELSEWHERE.test(path)) return
      pending = join(folder, path)
      clearTimeout(timer)
      timer = setTimeout(settle, QUIET_MS)
    }),
  )
  return {
    async next() {
      const path = await waiting.promise
      waiting = Promise.withResolvers<string>()
      pending = undefined
      return path
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}
