import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ConsoleSite } from '@ascribe/api'
import type { Logger } from '@ascribe/kit'
import { z } from 'zod'

export type ConsoleSettings = {
  /** Who runs the installation; customers read it where support is spoken of. */
  readonly provider?: string | undefined
  /** Where requests to models go, as customers reach it. */
  readonly gateway_url?: string | undefined
}

export const ConsoleSchema: z.ZodType<ConsoleSettings, unknown> = z
  .strictObject({ provider: z.string().min(1).max(100).optional(), gateway_url: z.url().optional() })
  .prefault({})

/** In the repository and in the packed command alike: there with its sources, here with the built files alone. */
const HOME = new URL('../../console/', import.meta.url)

export type SiteDeps = { readonly logger: Logger; readonly gatewayUrl?: string }

/** The console as the listeners serve it: built when a page is asked for the first time, if what is there is older than its sources. */
export function consoleSiteOf({ provider, gateway_url: configured }: ConsoleSettings, { logger, gatewayUrl }: SiteDeps): ConsoleSite {
  let folder: Promise<string | undefined> | undefined
  const url = configured ?? gatewayUrl
  return {
    ...(provider !== undefined && { provider }),
    ...(url !== undefined && { gatewayUrl: url }),
    folder() {
      folder ??= builtConsole().catch((error: unknown) => {
        // The next page asks again: who mends the sources need not start anew.
        folder = undefined
        logger.error('the console cannot be built', { error })
        return undefined
      })
      return folder
    },
  }
}

/** The folder of the built console. Whoever has its sources builds it from them; the packed command brings the files alone. */
async function builtConsole(): Promise<string | undefined> {
  const builder = fileURLToPath(new URL('build/main.ts', HOME))
  if (existsSync(builder)) return (await runBuilder(builder)).trim()
  const dist = fileURLToPath(new URL('dist/', HOME))
  return existsSync(dist) ? dist : undefined
}

/** In a process of its own: a bundler's memory is none of a server's. */
function runBuilder(builder: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(process.execPath, [builder], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let problems = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (problems += chunk.toString()))
  child.on('error', reject)
  child.on('close', (code) => {
    if (code === 0) resolve(out)
    else reject(new Error(`Cannot build the console:\n${problems.trim()}`))
  })
  return promise
}
