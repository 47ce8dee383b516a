import { parseArgs } from 'node:util'
import { startDevServer } from './dev-server.ts'
import type { DevSource } from './dev-server.ts'
import { sandboxSession } from './sandbox-session.ts'

const HELP = `npm run dev:console -- [--operator] [--port PORT] [--api URL | --impersonate TELEPORT-APP]

The console with hot reload. Without an API every answer is a mock in the types of the contract, and a switch at the lower right puts the
page into each of its states.

  --operator             the operators' mode; default: the customers'
  --api URL              a real API: \`api\` of \`ascribe up --json\`, after signing in at its own console; or, with --operator, the port of
                         \`tsh proxy app ascribe-api --port 6876\`: http://127.0.0.1:6876
  --impersonate URL      through the sandbox Teleport of \`ascribe up\`: \`teleport\` of \`ascribe up --json\`; implies --operator
  --as USER              who is signed in there. Default olga@ops.example
  --port PORT            default 5173; 0: any free one
`

const { values } = parseArgs({
  options: {
    operator: { type: 'boolean', default: false },
    api: { type: 'string' },
    impersonate: { type: 'string' },
    as: { type: 'string', default: 'olga@ops.example' },
    port: { type: 'string', default: '5173' },
    help: { type: 'boolean', default: false },
  },
})

async function sourceOf(): Promise<DevSource> {
  if (values.impersonate !== undefined) return sandboxSession(values.impersonate, values.as)
  return values.api === undefined ? { kind: 'mock' } : { kind: 'api', url: values.api }
}

if (values.help) process.stdout.write(HELP)
else {
  const mode = values.operator || values.impersonate !== undefined ? 'operator' : 'customer'
  const server = await startDevServer({ mode, source: await sourceOf(), port: Number(values.port) })
  const { address } = { address: server.resolvedUrls?.local[0] ?? '' }
  process.stdout.write(`${address}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close())
}
