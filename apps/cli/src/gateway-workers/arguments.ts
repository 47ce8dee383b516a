import type { Context } from '../context.ts'

/**
 * The command line by which a worker becomes what this process is. What its own command line said of the port is not in it: the worker is
 * handed the sockets.
 */
export function workerArguments({ dir, configFile, config }: Context, upstream?: string): readonly string[] {
  const { trust_headers_from: networks } = config.gateway
  return [
    'gateway',
    '--worker',
    '--data',
    dir.root,
    '--log-level',
    config.log.level,
    ...(configFile === undefined ? [] : ['--config', configFile]),
    ...(upstream === undefined ? [] : ['--upstream', upstream]),
    ...(networks.length === 0 ? [] : ['--trust-headers-from', networks.join(',')]),
  ]
}
