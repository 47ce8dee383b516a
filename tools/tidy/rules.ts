import { consoleRules } from './console.ts'
import { cycleRules } from './cycles.ts'
import { effectRules } from './effects.ts'
import { endpointRules } from './endpoints.ts'
import { errorCodeRules } from './error-codes.ts'
import { importRules } from './imports.ts'
import { manifestRules } from './manifests.ts'
import { packedRules } from './packed.ts'
import type { Rule } from './rule.ts'
import { shapeRules } from './shape.ts'
import { sqlRules } from './sql.ts'

/** Every rule that the repository is held to, in the order in which they are shown. */
export const rules: readonly Rule[] = [
  ...shapeRules,
  ...manifestRules,
  ...packedRules,
  ...importRules,
  ...cycleRules,
  ...effectRules,
  ...endpointRules,
  ...consoleRules,
  ...sqlRules,
  ...errorCodeRules,
]
