import { join } from 'node:path'
import { buildPackage } from './pack/build.ts'
import { useOwnExports, usePublishedExports } from './pack/publish-exports.ts'

// `prepack` and, with --undo, `postpack` of what is packed: `npm pack -w apps/cli`, `npm pack -w packages/impersonation`.
const root = join(import.meta.dirname, '..')
const [dir = 'apps/cli'] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))

if (process.argv.includes('--undo')) await useOwnExports(join(root, dir))
else {
  const { sources, workspaces } = await buildPackage(root, dir)
  await usePublishedExports(join(root, dir))
  console.error(`${dir}/dist: ${sources.length} sources of ${workspaces.length} workspaces`)
}
