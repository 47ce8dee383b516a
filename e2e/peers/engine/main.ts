import { parseArgs } from 'node:util'
import { installEngines } from './install.ts'
import { startLlamaPython, startLlamaServer } from './start.ts'

// By hand: `node e2e/peers/engine/main.ts install` once, then `llama-server` or `llama-cpp-python` until Ctrl-C.

const USAGE = 'usage: node e2e/peers/engine/main.ts install | llama-server | llama-cpp-python'
const { positionals } = parseArgs({ allowPositionals: true })
const starts = new Map([
  ['llama-server', startLlamaServer],
  ['llama-cpp-python', startLlamaPython],
])
const [what = ''] = positionals
const start = starts.get(what)
if (what !== 'install' && start === undefined) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  const installed = await installEngines()
  if (start === undefined) console.log(installed)
  else {
    await using engine = await start(installed)
    console.log(engine.url)
    const { promise: asked, resolve } = Promise.withResolvers<void>()
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
    await asked
  }
}
