import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { watchChanges } from './dev/changes.ts'
import { supervise } from './dev/supervise.ts'
import { collectBundle } from './pack/bundle.ts'
import { readTree } from './tidy/tree.ts'

// `npm run dev -- --data DIR …`: `ascribe up` on the sources, restarted when one of them changes. The data directory stays, keys
// included, so a client keeps working across restarts.

const root = join(import.meta.dirname, '..')
const { workspaces } = collectBundle(readTree(root), 'apps/cli')
const folders = workspaces
  .flatMap(({ dir }) => ['src', 'migrations'].map((name) => join(root, dir, name)))
  .filter((folder) => existsSync(folder))

const [stop, cut] = [new AbortController(), new AbortController()]
const interrupt = (): void => (stop.signal.aborted ? cut : stop).abort()
process.on('SIGINT', interrupt)
process.on('SIGTERM', interrupt)

using changes = watchChanges(folders)
await supervise({
  command: [process.execPath, 'apps/cli/src/main.ts', 'up', ...process.argv.slice(2)],
  cwd: root,
  changes,
  stop: stop.signal,
  cut: cut.signal,
  say: (line) => console.error(`dev: ${line}`),
})
process.off('SIGINT', interrupt)
process.off('SIGTERM', interrupt)
