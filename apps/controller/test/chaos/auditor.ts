import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CLUSTERS, IMPERSONATORS, MACHINES, OWNER_BINDINGS } from '@ascribe/kinds'
import { EVENTS, LEASES } from '@ascribe/kube'
import type { Resource } from '@ascribe/kube'
import { CONFIG_MAPS } from '../../src/abandon/orphan-record.ts'
import type { ChaosWorld } from './chaos-world.ts'
import { SECRETS_OF_WORLD } from './chaos-world.ts'

/** Watches all the time, and says afterwards what was ever wrong. */
export type Auditor = Disposable & {
  readonly violations: () => readonly string[]
  readonly looks: () => number
  readonly calls: () => number
}

const LOOK_MS = 25
const VIOLATIONS_MAX = 50

/** At every look: each server is its owner's; no call went to a host outside of the table, or acted as anybody but an owner. */
export function startAuditor({ cloud, owners }: ChaosWorld): Auditor {
  const violations = new Set<string>()
  const byIndex = new Map(owners.map((owner) => [`o${owner.index}`, owner]))
  const emails = new Set(owners.map(({ email }) => email))
  let [looks, seen, calls] = [0, 0, 0]
  const blame = (what: string): void => {
    if (violations.size < VIOLATIONS_MAX) violations.add(what)
  }
  const look = (): void => {
    looks += 1
    for (const { uuid, name, owner } of cloud.servers()) {
      const wanted = byIndex.get(name.split('-', 1)[0] ?? '')
      if (wanted === undefined || owner !== wanted.email) blame(`server ${name} ${uuid} belongs to ${owner}`)
    }
    for (const call of cloud.calls()) {
      if (call.n <= seen) continue
      calls += 1
      if (call.kind !== 'oauth' && call.kind !== 'direct') blame(`a call went to ${call.host}`)
      if (call.tokenOf !== undefined) blame(`a token of ${call.tokenOf} acted as ${call.user}`)
      if (call.step === 'api' && call.user !== undefined && !emails.has(call.user))
        blame(`${call.method} ${call.path} acted as ${call.user}`)
    }
    seen = cloud.calls().at(-1)?.n ?? seen
  }
  const timer = setInterval(look, LOOK_MS)
  return {
    violations: () => [...violations],
    looks: () => looks,
    calls: () => calls,
    [Symbol.dispose]() {
      look()
      clearInterval(timer)
    },
  }
}

/** Machines of which two servers ever ran at one time. */
export function ranTwice({ cloud }: ChaosWorld): string[] {
  const byName = Map.groupBy(cloud.intervals(), ({ owner, name }) => `${owner} ${name}`)
  return [...byName].flatMap(([name, intervals]) =>
    intervals.some((one) =>
      intervals.some((other) => other.server !== one.server && other.start < (one.end ?? Infinity) && one.start < (other.end ?? Infinity)),
    )
      ? [name]
      : [],
  )
}

/** Where a secret stands that must not: logs, journals, records of minting, objects but Secrets, events, requests of the controllers. */
export async function leaks({ kube, client }: ChaosWorld, dirs: readonly string[]): Promise<string[]> {
  const found: string[] = []
  const search = (where: string, text: string): void => {
    for (const secret of SECRETS_OF_WORLD) {
      // The base64 of a Secret is what the cloud gets; in Kubernetes and in files neither form has any business.
      for (const form of [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')]) {
        const index = text.indexOf(form)
        if (index >= 0) found.push(`${where} holds ${JSON.stringify(secret)}: …${text.slice(Math.max(0, index - 80), index + 20)}…`)
      }
    }
  }
  for (const dir of dirs) for (const file of filesOf(dir)) search(file, readFileSync(file, 'latin1'))
  const listed = await Promise.all(
    [MACHINES, CLUSTERS, OWNER_BINDINGS, IMPERSONATORS, EVENTS, LEASES, CONFIG_MAPS].map((each) => client.list(each as Resource)),
  )
  for (const object of [...kube.everything(), ...listed.flatMap(({ items }) => items)]) {
    const { kind } = object as { readonly kind?: unknown }
    if (kind !== 'Secret') search(typeof kind === 'string' ? kind : 'an object', JSON.stringify(object))
  }
  for (const { body, plural } of kube.requests()) if (plural !== 'secrets') search(`a request about ${plural}`, body)
  return found
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
