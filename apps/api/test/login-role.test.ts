import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '@ascribe/postgres'
import { Browser } from './browser.ts'
import { startRig } from './login-support.ts'

test('login: needs no more of the database than the role of the API has, and no other listener sees who is signed in', async () => {
  await using rig = await startRig({ role: 'ascribe_api' })
  const { browser, page } = await rig.signIn('max')
  assert.equal(page.status, 200)
  const chosen = await browser.send(`${rig.url}/v1/me/organization`, {
    method: 'POST',
    body: new URLSearchParams({ organization: rig.beta }),
  })
  assert.equal(chosen.status, 200)
  rig.clock.advance(6 * 60_000)
  assert.equal((await browser.send(`${rig.url}/v1/me`)).status, 200)
  for (const role of ['ascribe_internal', 'ascribe_settler']) {
    await using db = openDatabase({ ...rig.db.target, role })
    await assert.rejects(db.query('select from web_session'), { sqlstate: '42501' })
  }
  assert.equal((await browser.send(`${rig.url}/logout`, { method: 'POST' })).status, 200)
  assert.equal((await new Browser().send(`${rig.url}/v1/me`)).status, 401)
})
