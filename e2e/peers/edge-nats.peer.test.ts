import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { start } from '../support/process.ts'
import { temporaryDir, up } from '../support/product.ts'
import { startBroker } from './nats/start.ts'
import { broker } from './support/spread-fleet.ts'
import { until } from './support/until.ts'

const available = await broker()
const { skip } = available
const SECRET = '07'.repeat(32)

test('an edge on a machine of its own learns keys and revocations over the broker, and goes on while that is away', { skip }, async () => {
  using files = temporaryDir()
  await using nats = await startBroker({ binary: available.binary ?? '', dir: files.path })
  using office = temporaryDir()
  writeFileSync(join(files.path, 'url'), nats.url)
  writeFileSync(join(files.path, 'secret'), SECRET)
  const settings = { nats: { url: { file: join(files.path, 'url') } }, server_secret: { file: join(files.path, 'secret') } }
  writeFileSync(join(office.path, 'ascribe.yaml'), JSON.stringify(settings))
  await using product = await up(office.path)
  using outpost = temporaryDir()
  const env = { ASCRIBE_NATS_URL: nats.url, ASCRIBE_SERVER_SECRET: SECRET }
  await using process = start(['edge', '--json', '--data', outpost.path, '--port', '0', '--metrics-port', '0'], { env })
  const { edge, metrics } = JSON.parse((await process.firstLine) ?? '') as { edge: string; metrics: string }
  const { key, auth_id: authId } = product.ready
  const ask = async (): Promise<number> => (await fetch(edge, { headers: { authorization: `Bearer ${key}` } })).status
  await until(async () => (await ask()) === 204, 'the key is known at the edge')
  assert.equal((await fetch(`${metrics}/readyz`)).status, 200)
  await nats.kill()
  assert.equal(await ask(), 204)
  await nats.start()
  await product.cli('keys', 'revoke', authId)
  await until(async () => (await ask()) === 401, 'the revocation has arrived')
})
