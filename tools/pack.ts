import { execFile } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildPackage } from './pack/build.ts'
import { useOwnExports, usePublishedExports } from './pack/publish-exports.ts'

// `prepack` and, with --undo, `postpack` of what is packed: `npm pack -w apps/cli`, `npm pack -w packages/impersonation`.
const root = join(import.meta.dirname, '..')
const [dir = 'apps/cli'] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))

if (process.argv.includes('--undo')) await useOwnExports(join(root, dir))
else {
  const { sources, workspaces } = await buildPackage(root, dir)
  if (dir === 'apps/cli') await addConsole(join(root, dir, 'dist'))
  await usePublishedExports(join(root, dir))
  console.error(`${dir}/dist: ${sources.length} sources of ${workspaces.length} workspaces`)
}

/** The pages in the browser, built: where the packed command looks for them (apps/cli/src/console-site.ts). */
async function addConsole(dist: string): Promise<void> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'apps/console/build/main.ts')])
  await cp(stdout.trim(), join(dist, 'apps/console/dist'), { recursive: true, filter: (path) => !path.endsWith('.vite') })
}
