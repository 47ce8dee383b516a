import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { clusterctlFiles, conditionsDocument, helmFiles } from '@ascribe/kinds'
import { runGenerator } from './generated.ts'

// deploy/clusterctl and deploy/helm: what clusterctl and Helm install, from the same objects that `ascribe manifests` prints. And what their
// conditions mean.
await runGenerator(import.meta.filename, (root) => [
  ...[...clusterctlFiles(), ...helmFiles()].map(({ path, text }) => {
    mkdirSync(dirname(join(root, 'deploy', path)), { recursive: true })
    return { path: `deploy/${path}`, text }
  }),
  { path: 'docs/conditions.md', text: conditionsDocument() },
])
