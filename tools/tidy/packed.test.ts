import { packedRules } from './packed.ts'
import { manifest, proveRules } from './planted.ts'

const CLI = 'apps/cli/package.json'
const held = { '@ascribe/postgres': '0.1.0' }
const main = { 'apps/cli/src/main.ts': "import { Command } from 'commander'\nimport { one } from '@ascribe/postgres'\n" }
const cli = (rest: object): Record<string, string> => ({ ...main, [CLI]: manifest('cli', 7, { devDependencies: held, ...rest }) })

proveRules(packedRules, {
  'the packed command declares what it holds': {
    faults: [
      {
        files: cli({ dependencies: { commander: '15.1.0' } }),
        found: `${CLI}:1 lacks pg 8.23.1 in dependencies, which packages/postgres needs`,
      },
      { files: cli({ dependencies: { commander: '15.1.0', pg: '8.23.0' } }), found: `${CLI}:1 lacks pg 8.23.1` },
      {
        files: cli({ devDependencies: {}, dependencies: { commander: '15.1.0', pg: '8.23.1', ...held } }),
        found: `${CLI}:1 lists @ascribe/postgres in dependencies`,
      },
      {
        files: cli({ dependencies: { commander: '15.1.0', pg: '8.23.1', fastify: '5.12.8' } }),
        found: `${CLI}:1 lists fastify in dependencies, which nothing in it needs`,
      },
    ],
    sound: [cli({ dependencies: { commander: '15.1.0', pg: '8.23.1' } })],
  },
})
