import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** One customer's program: an organization, and a key of it that reads bills. */
export type User = { readonly organizationId: string; readonly key: string }

export type Load = {
  readonly requests: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly bytes: number
}

/** All of a reply; throws for anything but 200. */
export function get(agent: Agent, url: string, key: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const asked = request(url, { agent, headers: { authorization: `Bearer ${key}` } }, (response) => {
    let bytes = 0
    let text = ''
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (response.statusCode !== 200) text += chunk.toString()
    })
    response.on('end', () => (response.statusCode === 200 ? resolve(bytes) : reject(new Error(`${url}: ${response.statusCode} ${text}`))))
    response.on('error', reject)
  })
  asked.on('error', reject)
  asked.end()
  return promise
}

/**
 * Each user asks, waits for the reply, pauses for about `pauseMs`, and asks again; without a pause there are as many requests at once as users, which
 * is what the machine can do and not what people at screens want of it.
 */
export async function load(
  users: readonly User[],
  { urlOf, seconds, pauseMs }: { readonly urlOf: (user: User) => string; readonly seconds: number; readonly pauseMs: number },
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: users.length })
  const took: number[] = []
  let bytes = 0
  for (const user of users) await get(agent, urlOf(user), user.key)
  const started = performance.now()
  const until = started + seconds * 1000
  await Promise.all(
    users.map(async (user, index) => {
      // Spread, so that they do not all ask at once.
      if (pauseMs > 0) await delay((pauseMs * index) / users.length)
      while (performance.now() < until) {
        const before = performance.now()
        bytes = await get(agent, urlOf(user), user.key)
        took.push(performance.now() - before)
        if (pauseMs > 0) await delay(pauseMs * (0.5 + Math.random()))
      }
    }),
  )
  const elapsed = (performance.now() - started) / 1000
  agent.destroy()
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { requests: took.length, perSecond: took.length / elapsed, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), bytes }
}
