import type { Command } from 'commander'
import { createLogger } from '@ascribe/service'
import type { ConfigOverride } from '@ascribe/service'
import { configFileOf, loadCliConfig } from './config.ts'
import type { LoadedConfig } from './config.ts'
import type { Context } from './context.ts'
import { dataDirAt } from './data-dir.ts'
import { createOutput } from './output.ts'
import type { Surroundings } from './surroundings.ts'

/** The options that every command takes. */
export type SharedOptions = {
  readonly data?: string
  readonly config?: string
  readonly json?: boolean
  readonly logLevel?: string
}

const LONG_RUNNING = new Set(['up', 'gateway', 'settler', 'api', 'edge', 'controller', 'minter'])

/** Makes what a command is given from its options, wherever on the line they stood. `overrides` come from options of its own. */
export function contextOf(command: Command, surroundings: Surroundings, overrides: Readonly<Record<string, ConfigOverride>> = {}): Context {
  const options = command.optsWithGlobals<SharedOptions>()
  const { env, stdout, stderr } = surroundings
  const dir = dataDirAt(options.data ?? env['ASCRIBE_DATA'] ?? '.ascribe')
  const where = {
    env,
    dir,
    ...(options.config !== undefined && { file: options.config }),
    overrides: { ...overrides, 'log.level': { flag: '--log-level', value: options.logLevel } },
  }
  const reload = (): LoadedConfig => loadCliConfig(where)
  const loaded = reload()
  const { level, format } = loaded.value.log
  // A tool whose output is its result says only what went wrong, unless somebody asked for more.
  const isQuiet = !LONG_RUNNING.has(command.name()) && loaded.sources.get('log.level')?.kind === 'default'
  return {
    config: loaded.value,
    loaded,
    reload,
    configFile: configFileOf(where),
    dir,
    out: createOutput({ json: options.json === true, stdout, stderr }),
    logger: createLogger({
      level: isQuiet ? 'warn' : level,
      format: format === 'auto' ? (stderr.isTTY || isQuiet ? 'pretty' : 'json') : format,
      stream: stderr,
      name: `ascribe ${command.name()}`,
    }),
  }
}
