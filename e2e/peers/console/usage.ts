import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Product } from '../../support/product.ts'
import { until } from '../support/until.ts'

/*
 * Sixty days of usage of eleven models by three keys, always the same but for the day that is today: what the console's overview shows, and what
 * its file must add up to.
 */

const CONFIG = `
ingest:
  events:
    - type: prompt
      resource_id: $.resource
      resource_type: deployment
      model: $.model
      meters:
        input_tokens: $.input
        output_tokens: { path: $.output, optional: true }
    - type: machine
      resource_id: $.resource
      resource_type: vm
      model: vm.small
      meters:
        vm_hours: $.hours
        vm_disk_gib_hours: $.disk
`

/** Dearest first. The ninth and those after it are "Other"; the last costs nothing. */
export const MODELS = [
  'llama-3.3-70b',
  'mistral-large',
  'qwen-2.5-72b',
  'deepseek-v3',
  'gemma-2-27b',
  'phi-4',
  'llama-3.1-8b',
  'mixtral-8x7b',
  'whisper-large-with-a-very-long-name-that-does-not-end-soon',
  'embed-small',
  'free-preview',
] as const

/** Three records of it have no price. */
const UNPRICED = 'not-priced-yet'

const rate = (index: number): string => (index === MODELS.length - 1 ? '0' : `0.00000${Math.max(1, 9 - index)}`)

const PRICES = `version: 1
base_models:
${MODELS.map((model, index) => `  ${JSON.stringify(model)}: { prompt: "${rate(index)}", cached: "0", completion: "${rate(index)}" }`).join('\n')}
  vm.small: { prompt: "0", cached: "0", completion: "0", meters: { vm_hours: "0.08", vm_disk_gib_hours: "0.0002" } }
`

/** Writes configuration and prices into a directory. Gives the arguments that `up` takes them by. */
export function usageFiles(dir: string): readonly string[] {
  const [config, prices] = [join(dir, 'usage.yaml'), join(dir, 'prices.yaml')]
  writeFileSync(config, CONFIG)
  writeFileSync(prices, PRICES)
  return ['--config', config, '--prices', prices]
}

const DAY_MS = 86_400_000
/** Of usage before today, and today until now. */
export const USAGE_DAYS = 60

type UsageEvent = { readonly id: string; readonly subject: string; readonly time: string; readonly type: string; readonly data: object }

export type ReportedUsage = {
  /** Auth ids of the keys. */
  readonly keys: readonly string[]
  readonly records: number
}

type Key = { readonly key: string; readonly auth_id: string }

/** Reports it all for the demo organization, and waits until it is rated. */
export async function reportUsage(product: Product): Promise<ReportedUsage> {
  const { organization, api } = product.ready
  const keys: Key[] = []
  for (const name of ['prod-1', 'prod-2', 'ci']) {
    keys.push(await product.cli<Key>('keys', 'create', '--org', organization.id, '--name', name, '--scope', 'usage:write', 'billing:read'))
  }
  const [first] = keys
  if (first === undefined) throw new Error('no key')
  const events = eventsOf(
    keys.map(({ auth_id: id }) => id),
    Date.now(),
  )
  const reply = await fetch(`${api}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${first.key}`, 'content-type': 'application/cloudevents-batch+json' },
    body: JSON.stringify(events.map((event) => ({ specversion: '1.0', source: 'usage', ...event }))),
  })
  if (reply.status !== 204) throw new Error(`Cannot report usage: ${reply.status} ${await reply.text()}`)
  const [from, to] = [new Date(Date.now() - (USAGE_DAYS + 1) * DAY_MS), new Date()].map((date) => date.toISOString().slice(0, 10))
  await until(async () => {
    const url = `${api}/v1/organizations/${organization.id}/usage?from=${from}&to=${to}&grain=total`
    const usage = (await (await fetch(url, { headers: { authorization: `Bearer ${first.key}` } })).json()) as {
      readonly data: readonly { readonly records: number }[]
    }
    return (usage.data[0]?.records ?? 0) >= events.length
  }, 'all usage is rated')
  return { keys: keys.map(({ auth_id: id }) => id), records: events.length }
}

function eventsOf(keys: readonly string[], now: number): readonly UsageEvent[] {
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const events: UsageEvent[] = []
  for (let ago = USAGE_DAYS; ago >= 0; ago -= 1) {
    const day = today - ago * DAY_MS
    const weekday = new Date(day).getUTCDay()
    // Weekends are calm, and one day nobody worked at all.
    const scale = ago === 9 ? 0 : (weekday === 0 || weekday === 6 ? 3 : 8) + (ago % 5)
    if (scale === 0) continue
    const at = ago === 0 ? Math.max(day, now - 3_600_000) : day + 10 * 3_600_000
    for (const [index, model] of MODELS.entries()) {
      for (const [who, subject] of keys.entries()) {
        if (who === 2 && index > 3) continue
        const input = scale * (120_000 - index * 9000) * (3 - who) + index
        events.push({
          id: `${ago}-${index}-${who}`,
          subject,
          time: new Date(at + index * 1000 + who).toISOString(),
          type: 'prompt',
          data: { model, resource: index % 2 === 0 ? 'zrh-cluster' : 'fra-cluster', input, output: Math.floor(input / 4) },
        })
      }
    }
    const [subject = ''] = keys
    // Nobody has said what this one costs: held aside, and in no total.
    if (ago < 5 && ago > 1) {
      events.push({
        id: `held-${ago}`,
        subject,
        time: new Date(at).toISOString(),
        type: 'prompt',
        data: { model: UNPRICED, resource: 'zrh-cluster', input: 5 },
      })
    }
    events.push({
      id: `vm-${ago}`,
      subject,
      time: new Date(at).toISOString(),
      type: 'machine',
      data: { resource: 'vm-build', hours: 24, disk: 480 },
    })
  }
  return events
}
