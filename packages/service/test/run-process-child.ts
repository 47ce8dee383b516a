// A process under runProcess() whose behaviour its argument names; it says each step on stdout.
import { runProcess } from '../src/run-process.ts'
import { type Logger, errorChain } from '@ascribe/kit'

const mode = process.argv[2] ?? ''
const say = (text: string): void => void process.stdout.write(`${text}\n`)

// Not the real logger: loading it would take most of this process's short life.
const log = (message: string, fields?: object): void =>
  void process.stderr.write(
    `${message} ${JSON.stringify(fields, (_, value: unknown) => (value instanceof Error ? `${value.name} ${errorChain(value)}` : value))}\n`,
  )
const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger }

process.exitCode = await runProcess({
  name: 'child',
  logger,
  graceMs: mode === 'grace' ? 50 : 60_000,
  ...(mode === 'linger' ? { lingerMs: 50 } : {}),
  ...(mode === 'cut' ? { sameWishMs: 0 } : {}),
  start: async ({ signal, cut, stop }) => {
    const server = setInterval(() => {}, 1000)
    signal.addEventListener('abort', () => say('draining'))
    cut.addEventListener('abort', () => say('cut'))
    if (mode === 'throw-in-start') throw new Error('no disk')
    if (mode === 'stop-in-start') {
      say('starting')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    }
    if (mode === 'uncaught') setTimeout(() => assertNever(), 1)
    if (mode === 'rejection') setTimeout(() => void Promise.reject(new Error('nobody caught this')), 1)
    if (mode === 'stop') setTimeout(() => stop(), 1)
    if (mode === 'linger') setInterval(() => {}, 1000)
    say('started')
    return {
      async [Symbol.asyncDispose]() {
        if (mode === 'cut' || mode === 'grace' || mode === 'hang') {
          await new Promise<void>((resolve) => cut.addEventListener('abort', () => mode !== 'hang' && resolve()))
        }
        clearInterval(server)
        if (mode === 'dispose-fails') throw new Error('disk full')
        say('released')
      },
    }
  },
}).catch((error: Error) => {
  say(`failed: ${error.message}`)
  return 3
})

function assertNever(): never {
  throw new TypeError('a bug')
}
