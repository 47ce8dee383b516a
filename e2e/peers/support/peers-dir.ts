import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where peers are installed: `$ASCRIBE_PEERS_DIR`, else `ascribe-peers` in the user's cache folder. */
export function peersDir(): string {
  const { ASCRIBE_PEERS_DIR: chosen, XDG_CACHE_HOME: cache } = process.env
  if (chosen !== undefined && chosen !== '') return chosen
  const base =
    cache !== undefined && cache !== '' ? cache : join(homedir(), ...(process.platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']))
  return join(base, 'ascribe-peers')
}
