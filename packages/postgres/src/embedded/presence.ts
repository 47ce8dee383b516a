import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { clientConfig } from '../connection.ts'
import type { SocketTarget } from '../connection.ts'
import { endClient } from '../listen.ts'
import { isAlive } from './postmaster.ts'

/**
 * The advisory lock that counts users: each holds it shared, and who can have it exclusively is alone.
 * The kernel closes the connection of a process that dies, and with it goes its share.
 */
const USERS_LOCK = '7093254146032001'
const APPLICATION = 'ascribe user of the embedded server, process '

/** How long the share of a process that is dead already may take to go. */
const DEAD_SHARE_MS = 2_000
const POLL_MS = 5

/** One user's share in a running server. */
export type Presence = {
  /** Settles when the connection is gone, whoever ended it. */
  readonly lost: Promise<void>
  /** Gives the share back before it returns. */
  leave(): Promise<void>
}

/** A server that takes longer to answer on a socket is asked again; it may be stopped or be recovering. */
const PROBE_TIMEOUT_MS = 500

/** Connects. @throws what `pg` throws */
export async function connect(target: SocketTarget, applicationName: string, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...clientConfig(target, applicationName), ...options })
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (thrown) {
    await endClient(client)
    throw thrown
  }
}

/** Whether a server answers at `target`, and is the one of the folder `cluster`. */
export async function answers(target: SocketTarget, cluster: string): Promise<boolean> {
  let client: pg.Client
  try {
    client = await connect(target, 'ascribe probe', { connectionTimeoutMillis: PROBE_TIMEOUT_MS, query_timeout: PROBE_TIMEOUT_MS })
  } catch {
    return false
  }
  try {
    const shown = await client.query<{ data_directory: string }>('show data_directory')
    return shown.rows[0]?.data_directory === cluster
  } catch {
    return false
  } finally {
    await endClient(client)
  }
}

/** Takes a share. The caller holds the file lock, so that nobody stops the server in between. */
export async function takePresence(target: SocketTarget): Promise<Presence> {
  const client = await connect(target, `${APPLICATION}${process.pid}`)
  const lost = Promise.withResolvers<void>()
  client.on('end', () => lost.resolve())
  try {
    await client.query(`select pg_advisory_lock_shared(${USERS_LOCK})`)
  } catch (thrown) {
    await endClient(client)
    throw thrown
  }
  return {
    lost: lost.promise,
    async leave() {
      // Asked for and answered, so that the share is gone before anybody counts; the end of a connection is noticed later.
      await client.query(`select pg_advisory_unlock_shared(${USERS_LOCK})`).catch(() => {})
      await endClient(client)
    },
  }
}

/**
 * Whether the server at `target` has no user. Shares of processes that are dead already are waited for, a moment.
 * Under the file lock the answer holds for as long as that is held. @throws what `pg` throws when no server answers
 */
export async function isUnused(target: SocketTarget): Promise<boolean> {
  const client = await connect(target, 'ascribe user count')
  try {
    const deadline = performance.now() + DEAD_SHARE_MS
    for (;;) {
      const tried = await client.query<{ alone: boolean }>(`select pg_try_advisory_lock(${USERS_LOCK}) as alone`)
      if (tried.rows[0]?.alone === true) {
        await client.query(`select pg_advisory_unlock(${USERS_LOCK})`)
        return true
      }
      if (performance.now() > deadline || (await hasLiveUser(client))) return false
      await delay(POLL_MS)
    }
  } finally {
    await endClient(client)
  }
}

async function hasLiveUser(client: pg.Client): Promise<boolean> {
  const users = await client.query<{ name: string }>(
    `select distinct a.application_name as name
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and a.pid <> pg_backend_pid()
       and (l.classid::bigint << 32 | l.objid::bigint) = ${USERS_LOCK} and l.objsubid = 1`,
  )
  for (const { name } of users.rows) {
    const pid = name.startsWith(APPLICATION) ? Number(name.slice(APPLICATION.length)) : Number.NaN
    if (Number.isNaN(pid) || (await isAlive(pid))) return true
  }
  return false
}
