import { openApiDocument } from '@ascribe/contract'
import { runGenerator } from './generated.ts'

// packages/contract/openapi.json: the contract for readers and programs that do not speak TypeScript.
await runGenerator(import.meta.filename, () => [
  { path: 'packages/contract/openapi.json', text: `${JSON.stringify(openApiDocument(), null, 2)}\n` },
])
