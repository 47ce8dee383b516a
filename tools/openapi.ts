import { LISTENERS, openApiDocument } from '@ascribe/contract'
import { runGenerator } from './generated.ts'

// packages/contract/openapi*.json: the contract for readers and programs that do not speak TypeScript, one document a listener.
await runGenerator(import.meta.filename, () =>
  LISTENERS.map((listener) => ({
    path: `packages/contract/openapi${listener === 'public' ? '' : `-${listener}`}.json`,
    text: `${JSON.stringify(openApiDocument(listener), null, 2)}\n`,
  })),
)
