import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import { eventually } from '../support/controller-world.ts'
import { ask, start } from '../support/process.ts'
import { temporaryDir } from '../support/product.ts'
import { startBroker } from './nats/start.ts'
import { broker } from './support/spread-fleet.ts'

// Deployments go the way of keys: over a real broker to a machine that has no database, which keeps them.

const available = await broker()
const { skip } = available

async function statusOf(url: string, key: string): Promise<number> {
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sandbox-small', max_tokens: 3, messages: [{ role: 'user', content: 'hello' }] }),
  })
  await reply.text()
  return reply.status
}

test(
  'a gateway on another machine follows deployments over the broker, and starts with them when broker and ledger are gone',
  { skip, timeout: 180_000 },
  async () => {
    using office = temporaryDir()
    using field = temporaryDir()
    using brokerDir = temporaryDir()
    await using engine = await startEngine()
    const nats = await startBroker({ binary: available.binary ?? '', dir: brokerDir.path })
    const env = { ASCRIBE_NATS_URL: nats.url, ASCRIBE_SERVER_SECRET: randomBytes(32).toString('hex') }
    const at = (path: string): readonly string[] => ['--data', path]
    await ask(['orgs', 'create', '--name', 'Acme', ...at(office.path)], { env })
    const { key } = await ask<{ key: string }>(['keys', 'create', '--org', 'Acme', ...at(office.path)], { env })
    const gatewayArgs = ['gateway', '--port', '0', '--metrics-port', '0', '--json', ...at(field.path)]
    {
      await using settler = start(['settler', '--metrics-port', '0', '--json', ...at(office.path)], { env })
      await settler.firstLine
      await using gateway = start(gatewayArgs, { env })
      const { gateway: url = '' } = JSON.parse((await gateway.firstLine) ?? '{}') as { gateway?: string }
      await ask(['routes', 'set', '--resource', 'dep-1', '--model', 'sandbox-small', '--upstream', engine.url, ...at(office.path)], { env })
      await eventually(async () => (await statusOf(url, key)) === 200)
      await eventually(() => existsSync(join(field.path, 'routes.json')))
    }
    await nats[Symbol.asyncDispose]()
    await using gateway = start(gatewayArgs, { env })
    const { gateway: url = '' } = JSON.parse((await gateway.firstLine) ?? '{}') as { gateway?: string }
    assert.equal(await statusOf(url, key), 200)
  },
)
