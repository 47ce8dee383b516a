import type { Logger } from '@ascribe/kit'
import type { Config, LoadedConfig } from './config.ts'
import type { DataDir } from './data-dir.ts'
import type { Output } from './output.ts'

/** What every command is given. */
export type Context = {
  readonly config: Config
  /** The configuration with where each value comes from. */
  readonly loaded: LoadedConfig
  /** The configuration as it is now, from the same file, variables and options. @throws {ConfigError} */
  readonly reload: () => LoadedConfig
  /** The file that it comes from, if there is one. */
  readonly configFile: string | undefined
  readonly dir: DataDir
  readonly out: Output
  readonly logger: Logger
}
