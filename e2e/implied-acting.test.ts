import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { askHost } from './support/ask-host.ts'
import type { HostAnswer } from './support/ask-host.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Product } from './support/product.ts'
import { TeleportControl } from './support/teleport-control.ts'

// `--acting implied`: the founding document's plain flow. Its limit has to hold although Teleport makes a new assertion every five minutes.

const OLGA = 'olga@ops.example'
const dir = temporaryDir()
let product: Product
let teleport: TeleportControl

before(async () => {
  product = await up(dir.path, '--acting', 'implied')
  teleport = new TeleportControl(product.ready.teleport)
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

test('R26: an implied session that has ended does not begin again with the next assertion of the same sign-in, but with the next sign-in', async () => {
  const { organization, teleport: api, environmentConsole } = product.ready
  const look = (cookie: string): Promise<HostAnswer> => askHost(`${api}/api/organization`, { headers: { cookie, accept: organization.id } })
  const first = await teleport.signIn(OLGA, 'global-api', 3_600_000)
  const begun = await look(first)
  assert.equal(begun.status, 200)
  assert.ok(Date.parse(String(begun.headers['x-acting-expires'])) - Date.now() <= 3_600_000)
  const ended = await askHost(`${api}/v1/acting-sessions/end`, {
    method: 'POST',
    headers: { cookie: first, origin: new URL(environmentConsole).origin, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ organization: organization.id }).toString(),
  })
  assert.equal(ended.status, 200, ended.body)
  assert.equal((await look(first)).status, 403)
  // The next piece of the session: another assertion, with the same end.
  await teleport.renewAssertions()
  assert.equal((await look(first)).status, 403)
  assert.equal((await look(await teleport.signIn(OLGA, 'global-api', 7_200_000))).status, 200)
})
