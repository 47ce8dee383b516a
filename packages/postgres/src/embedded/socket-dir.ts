import { createHash } from 'node:crypto'
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '@ascribe/kit'
import type { FolderOwner } from './run-as.ts'

/** `sun_path` has 104 bytes on macOS and 108 on Linux, its ending included; PostgreSQL also makes a lock file beside it. */
const SOCKET_PATH_BYTES_MAX = 100
const SOCKET_NAME = '.s.PGSQL.5432'

type Remembered = { readonly dataDir: string; readonly socketDir: string }

const fits = (folder: string): boolean => Buffer.byteLength(join(folder, SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX

/**
 * The folder of the server's socket: owner only, because the server trusts whoever can open it. `socket` in the data folder, or, where that
 * path is too long for a socket, a short temporary one. Its name is kept in `socket-folder.json`, because processes differ in what
 * their temporary folder is. The caller holds the lock.
 */
export async function prepareSocketDir(
  dataDir: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<string> {
  const inside = join(dataDir, 'socket')
  if (fits(inside)) {
    await mkdir(inside, { recursive: true, mode: 0o700 })
    await give(inside, owner)
    return inside
  }
  const remembered = await recallSocketDir(dataDir)
  const wanted = remembered ?? join(await shortTemporary(), `ascribe-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`)
  const socketDir = (await isOrBecomesOurs(wanted, owner)) ? wanted : await mkdtemp(join(await shortTemporary(), 'ascribe-'))
  await give(socketDir, owner)
  if (socketDir !== remembered) await remember({ dataDir, socketDir })
  return socketDir
}

/** The folder that the last start used, without making anything. */
export async function recallSocketDir(dataDir: string): Promise<string | undefined> {
  const inside = join(dataDir, 'socket')
  if (fits(inside)) return inside
  try {
    const known = JSON.parse(await readFile(join(dataDir, 'socket-folder.json'), 'utf8')) as Remembered // Our own file.
    // A data folder that was copied brings the file of the original, whose server may run.
    return known.dataDir === dataDir && fits(known.socketDir) ? known.socketDir : undefined
  } catch {
    return undefined
  }
}

async function remember(known: Remembered): Promise<void> {
  const file = join(known.dataDir, 'socket-folder.json')
  await writeFile(`${file}.new`, `${JSON.stringify(known)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

async function shortTemporary(): Promise<string> {
  const folder = tmpdir()
  return fits(join(folder, 'ascribe-0123456789abcdef')) ? folder : '/tmp'
}

/** A shared temporary folder is anybody's to write to, so what stands there under our name need not be ours. */
async function isOrBecomesOurs(folder: string, owner: { readonly uid: number } | undefined): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return true
  } catch (thrown) {
    if (errorCode(thrown) !== 'EEXIST') throw thrown
  }
  const found = await lstat(folder)
  const ours: readonly (number | undefined)[] = [process.geteuid?.(), owner?.uid]
  return found.isDirectory() && ours.includes(found.uid)
}

async function give(folder: string, owner: Pick<FolderOwner, 'uid' | 'gid'> | undefined): Promise<void> {
  await chmod(folder, 0o700)
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid)
}
