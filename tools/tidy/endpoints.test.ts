import { endpointRules } from './endpoints.ts'
import { proveRules } from './planted.ts'

const GATEWAY = 'apps/gateway/src/a.ts'
const body = (expression: string): string => `export const a = (region: string): string => ${expression}\n`
const FOUND = `${GATEWAY}:1 makes an address from a region`

proveRules(endpointRules, {
  'a region becomes an address in the region table alone': {
    faults: [
      { files: { [GATEWAY]: body('`https://direct.${region}.cloudsigma.com/api/2.0/`') }, found: FOUND },
      { files: { [GATEWAY]: body("'https://' + region + '.cloudsigma.com'") }, found: FOUND },
      { files: { [GATEWAY]: body("'https://{region}.example'.replace('{region}', region)") }, found: FOUND },
    ],
    sound: [
      { [GATEWAY]: body('`https://a.example/regions/${region}/`') },
      { [GATEWAY]: body('`Cannot reach region ${region}`') },
      { [GATEWAY]: body("'https://a.example/' + region") },
      { 'packages/impersonation/src/region-table.ts': body('`https://${region}.example`') },
      { 'packages/sandbox/src/regions.ts': body('`http://${region}.localhost`') },
      { 'packages/usage/src/a.test.ts': body('`https://${region}.example`') },
    ],
  },
})
