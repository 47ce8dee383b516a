import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { start } from '../support/process.ts'
import type { Running } from '../support/process.ts'
import { PlainBrowser } from '../support/plain-browser.ts'
import { temporaryDir } from '../support/product.ts'
import type { Ready } from '../support/product.ts'
import { schemathesis } from './schemathesis/install.ts'
import { spawnTied } from './support/tied-process.ts'

// Somebody else's fuzzer, from nothing but the document that each listener serves: it derives what to send, and what an answer may be.

const available = await schemathesis()
/** Of each operation, in the phase of random inputs; the phase before it goes through the bounds of every schema. */
const EXAMPLES = 3
const CHECKS = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance'

describe('schemathesis on the documents of the three listeners', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let product: Running
  let ready: Ready

  before(async () => {
    product = start(['up', '--json', '--port', '0', '--data', dir.path, '--acting', 'implied', '--sandbox-faults'])
    ready = JSON.parse((await product.firstLine) ?? '') as Ready
  })
  after(async () => {
    await product[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  async function fuzz(url: string, headers: readonly string[], leftOut: readonly string[] = []): Promise<void> {
    assert(available.skip === false)
    const said = headers.flatMap((header) => ['--header', header])
    const without = leftOut.flatMap((id) => ['--exclude-operation-id', id])
    const args = [
      '--checks',
      CHECKS,
      '--max-examples',
      String(EXAMPLES),
      '--phases',
      'coverage,fuzzing',
      '--seed',
      '1',
      '--no-color',
      ...said,
      ...without,
    ]
    const child = spawnTied(available.command, ['run', `${url}/openapi.json`, '--url', url, ...args], { cwd: dir.path })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    const [code] = (await once(child, 'close')) as [number | null]
    const faults = product
      .stderr()
      .split('\n')
      .filter((line) => line.includes('"level":"error"'))
    // What failed stands between this word and the warnings; what the product said of it is in its log.
    assert.equal(code, 0, `${output.slice(Math.max(0, output.indexOf('FAILURES'))).slice(0, 6000)}\n${faults.slice(0, 10).join('\n')}`)
    assert.match(output, /\d+ generated, /)
    assert.doesNotMatch(product.stderr(), /api request broke|api request failed/)
  }

  test('public, by an API key', () => fuzz(ready.api, [`Authorization: Bearer ${ready.billing_key}`]))

  test('public, by a user of the role admin, with the cookie of a sign-in', async () => {
    const browser = new PlainBrowser()
    const page = await browser.visit(`${ready.api}/login?returnTo=%2Fconsole%2F`)
    await browser.submit(page, { username: 'ada', password: 'ada-password' })
    const cookie = browser.cookiesFor(ready.api)
    assert.notEqual(cookie, '')
    // Signing out would end it for everything after it. Clusters are made where a management cluster is configured (kube-clusters.peer.test.ts):
    // here the answer is 503, as it says.
    await fuzz(ready.api, [`Cookie: ${cookie}`, `Origin: ${ready.api}`], ['logout', 'createCluster'])
  })

  // setFaults would take the trail away from everything after it.
  test('admin', () => fuzz(ready.admin, [`Authorization: Bearer ${ready.adminKey}`], ['setFaults']))

  test('internal, through the sandbox Teleport', async () => {
    const { port, host } = new URL(ready.teleport)
    const proxy = `http://127.0.0.1:${port}`
    const signedIn = await fetch(`${proxy}/sandbox/sessions`, {
      method: 'POST',
      body: JSON.stringify({ user: 'olga@ops.example', app: 'global-api' }),
    })
    const { cookie } = (await signedIn.json()) as { cookie: string }
    await fuzz(proxy, [`Host: ${host}`, `Cookie: ${cookie}`, `Accept: ${ready.organization.id}`], ['redirect'])
  })
})
