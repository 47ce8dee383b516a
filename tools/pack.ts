import { join } from 'node:path'
import { buildPackage } from './pack/build.ts'

// The `prepack` of apps/cli, so that `npm pack -w apps/cli` gives a package that runs under node_modules.
const { sources, workspaces } = await buildPackage(join(import.meta.dirname, '..'), 'apps/cli')
console.error(`apps/cli/dist: ${sources.length} sources of ${workspaces.length} workspaces`)
