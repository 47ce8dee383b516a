import { parseServerSecret, readServerSecret } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'

/** The secrets under which keys are stored, the newest first: from the configuration, else from its file in the data directory, made on first use. */
export function serverSecretOf({ config, dir }: Pick<Context, 'config' | 'dir'>): ServerSecret {
  if (config.server_secret !== undefined) return parseServerSecret(config.server_secret.reveal(), 'the configuration (server_secret)')
  prepareDataDir(dir)
  return readServerSecret(dir.serverSecret)
}
