import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPlatformCredential, provePlatformKey } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { Context } from './context.ts'
import { serverSecretOf } from './server-secret.ts'

/**
 * The key of the admin listener that `ascribe up` shows: that of the last start while it works, or a new one. It is kept in a file that only its owner
 * can read, like the demo keys.
 */
export async function adminKeyOf(context: Pick<Context, 'config' | 'dir'>, db: Database): Promise<string> {
  const secret = serverSecretOf(context)
  const path = join(context.dir.root, 'secrets', 'admin-key')
  const kept = readKept(path)
  if (kept !== undefined && (await provePlatformKey(db, secret, { key: kept })).kind === 'proven') return kept
  const { key } = await createPlatformCredential(db, secret, { name: 'ascribe up', by: 'ascribe up' })
  writeFileSync(path, `${key}\n`, { mode: 0o600, flush: true })
  return key
}

function readKept(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    // Not there yet.
    return undefined
  }
}
