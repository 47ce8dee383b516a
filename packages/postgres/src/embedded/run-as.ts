import { access, constants, lstat, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EmbeddedUnavailableError } from '../errors.ts'
import { commandAs, runCommand } from './command.ts'

/**
 * As whom the server runs; PostgreSQL refuses to run as root.
 * `self`: we are not root. `mapped`: we, under the number `uid`, in a user namespace, so that files stay ours. `user`: somebody else.
 */
export type RunAs =
  | { readonly kind: 'self' }
  | { readonly kind: 'mapped'; readonly unshare: string; readonly uid: number }
  | { readonly kind: 'user'; readonly uid: number; readonly gid: number }

/** Who owns a folder, and its permission bits. */
export type FolderOwner = { readonly uid: number; readonly gid: number; readonly mode: number }

export type RunAsFacts = {
  /** Effective uid of this process. */
  readonly euid: number
  /** The folder of the database, if it is there already. */
  readonly cluster: FolderOwner | undefined
  /** The folders above it, from the nearest to the root. */
  readonly ancestors: readonly FolderOwner[]
  /** An unshare that can map users on this machine. */
  readonly unshare: string | undefined
  /** The numbers of the machine's users; undefined where they are not kept in a file. */
  readonly users: ReadonlySet<number> | undefined
}

/** As whom the server runs, and as whom its database is made: initdb, unlike the server, wants its user to have a name. */
export type RunAsPlan = { readonly server: RunAs; readonly init: RunAs }

/** No distribution gives this uid to anybody (systemd's list of uid ranges: unused), so nobody else can read the files. */
const FALLBACK_ID = 61_000
const FIRST_PERSON = 1000

const UNSHARE_PATHS = ['/usr/bin/unshare', '/bin/unshare', '/usr/sbin/unshare', '/run/current-system/sw/bin/unshare']

/** Whether `uid`, with no capability, may walk through a folder. */
export function canPass(folder: FolderOwner, uid: number, gid: number): boolean {
  if (folder.uid === uid) return (folder.mode & 0o100) !== 0
  if (folder.gid === gid) return (folder.mode & 0o010) !== 0
  return (folder.mode & 0o001) !== 0
}

/**
 * Decides as whom the server runs. An existing database stays with its owner, but for root's, which may be handed over.
 * `user` assumes that the nearest folder, which is ours, will be given to that user.
 * @throws {EmbeddedUnavailableError}
 */
export function planRunAs(facts: RunAsFacts): RunAsPlan {
  const server = planServer(facts)
  return { server, init: planInit(facts, server) }
}

function planServer(facts: RunAsFacts): RunAs {
  const { euid, cluster, ancestors, unshare } = facts
  if (euid !== 0) {
    if (cluster !== undefined && cluster.uid !== euid) {
      throw new EmbeddedUnavailableError(
        `Cannot start the embedded database: its folder belongs to user ${cluster.uid} and this program runs as ${euid}; run it as that user, or set DATABASE_URL`,
      )
    }
    return { kind: 'self' }
  }
  if (cluster !== undefined && cluster.uid !== 0) return { kind: 'user', uid: cluster.uid, gid: cluster.gid }
  if (unshare !== undefined && ancestors.every((folder) => canPass(folder, 0, 0))) return { kind: 'mapped', unshare, uid: namedUser(facts) }
  const owner = ancestors.find((folder) => folder.uid !== 0)
  const candidates = [...(owner === undefined ? [] : [{ uid: owner.uid, gid: owner.gid }]), { uid: FALLBACK_ID, gid: FALLBACK_ID }]
  const found = candidates.find(({ uid, gid }) => ancestors.slice(1).every((folder) => canPass(folder, uid, gid)))
  if (found !== undefined) return { kind: 'user', ...found }
  throw new EmbeddedUnavailableError(
    `Cannot start the embedded database: PostgreSQL refuses to run as root, ${unshare === undefined ? 'user namespaces are forbidden here' : 'a folder on the way to the data belongs to somebody else'} and no other user can reach the data folder; run as an ordinary user, choose a data folder that others may pass to, or set DATABASE_URL to a PostgreSQL server`,
  )
}

/** A container that runs as a number without a name is common, and so is one without the user 1000. */
function planInit(facts: RunAsFacts, server: RunAs): RunAs {
  const { euid, unshare, users } = facts
  switch (server.kind) {
    case 'mapped':
      return server
    case 'self':
      return users === undefined || users.has(euid) || unshare === undefined ? server : { kind: 'mapped', unshare, uid: namedUser(facts) }
    case 'user': {
      const uid = users === undefined || users.has(server.uid) ? server.uid : namedUser(facts)
      return { kind: 'user', uid, gid: uid === server.uid ? server.gid : uid }
    }
  }
}

/** Some user but root with a name: 1000, the first person of a machine, or else the last in number, `nobody` as a rule. */
function namedUser({ users }: RunAsFacts): number {
  if (users === undefined || users.has(FIRST_PERSON)) return FIRST_PERSON
  const last = Math.max(...users)
  return last > 0 ? last : FIRST_PERSON
}

/** The numbers in /etc/passwd; undefined where that file is not what names users. */
export async function readUsers(): Promise<ReadonlySet<number> | undefined> {
  if (process.platform !== 'linux') return undefined
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const ids = text.split('\n').map((line) => Number.parseInt(line.split(':')[2] ?? '', 10))
  return new Set(ids.filter((id) => Number.isSafeInteger(id)))
}

/** Finds an unshare that may make user namespaces here; tried, because a kernel can forbid them in many ways. */
export async function findUnshare(paths: readonly string[] = UNSHARE_PATHS): Promise<string | undefined> {
  for (const unshare of paths) {
    try {
      await access(unshare, constants.X_OK)
    } catch {
      continue
    }
    // unshare runs itself: no other program is sure to be there. BusyBox has no --map-user and fails here, as it should.
    const tried = await runCommand(commandAs({ kind: 'mapped', unshare, uid: FIRST_PERSON }, unshare, ['--version']), 5_000)
    if (tried.code === 0) return unshare
  }
  return undefined
}

export async function readOwner(path: string): Promise<FolderOwner | undefined> {
  try {
    const { uid, gid, mode } = await lstat(path)
    return { uid, gid, mode }
  } catch {
    return undefined
  }
}

/** Owners of `folder` and everything above it, the nearest first. */
export async function readAncestors(folder: string): Promise<readonly FolderOwner[]> {
  const owners: FolderOwner[] = []
  for (let path = folder; ; path = dirname(path)) {
    const owner = await readOwner(path)
    if (owner !== undefined) owners.push(owner)
    if (dirname(path) === path) return owners
  }
}
