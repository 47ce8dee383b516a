import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { CLIENT, SECRET, settingsOf } from './support/cloud-suite.ts'
import { run } from './support/process.ts'
import type { Finished } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

// What the commands of the cloud must never do, as a reviewer could make them do it.

let cloud: SandboxCloud
const dir = temporaryDir()
before(async () => {
  cloud = await startSandboxCloud()
})
afterEach(() => cloud.clearFaults())
after(async () => {
  await cloud.close()
  dir[Symbol.dispose]()
})

async function ask(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const { oauthUrl, realm } = cloud
  const settings = settingsOf({ cloud, oauthUrl, realm, lifeMs: 60_000, [Symbol.asyncDispose]: async () => {} })
  const data = words.includes('--data') ? [] : ['--data', join(dir.path, 'data')]
  const finished = await run([...words, ...data], { env: { ...settings, ...env } })
  assert.doesNotMatch(finished.stdout + finished.stderr, /bug:/)
  return finished
}

test('token inspect never repeats a token that was given in place of a file', async () => {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: CLIENT, client_secret: SECRET })
  const answer = await fetch(`${cloud.issuer}/protocol/openid-connect/token`, { method: 'POST', body })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  for (const given of [token, 'opaque-CANARY-token']) {
    const { code, stdout, stderr } = await ask(['token', 'inspect', given])
    assert.equal(code, 2)
    assert.ok(!(stdout + stderr).includes(given.slice(0, 12)), stderr)
    assert.match(stderr, /Cannot read the file with the token: E[A-Z]+[^]*end it/)
  }
})

test('what a token, an issuer or the cloud says never reaches the terminal as a command (H-27)', async () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const file = join(dir.path, 'hostile.jwt')
  writeFileSync(file, `${part({ alg: 'RS256' })}.${part({ iss: '\u001b[31mred\nline', sub: '\u202Eltr', iat: 1e300, exp: 8e12 })}.c2ln`)
  const inspected = await ask(['token', 'inspect', file])
  cloud.addFault({ match: { step: 'api', path: '/api/2.0/profile/' }, does: { set: { state: 'REG\u001b]0;title\u0007\nULAR' } } })
  const who = await ask(['whoami', '--owner', 'user@example.com', '--region', 'zrh'])
  for (const { code, stdout } of [inspected, who]) {
    assert.equal(code, 0)
    // eslint-disable-next-line no-control-regex -- what is looked for
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/)
    assert.doesNotMatch(stdout, /^(line|ULAR)/m)
  }
  assert.match(who.stdout, /REG\\u\{1b\}/)
})

test('doctor is never content with a region that is not in the table', async () => {
  const { stdout, code } = await ask(['doctor', '--json'], { CLOUDSIGMA_REGION: 'fra' })
  const [region] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { what: string; state: string; detail: string })
    .filter(({ what }) => what === 'region')
  assert.equal(code, 1)
  assert.deepEqual(
    [region?.state, region?.detail],
    ['wrong', 'CLOUDSIGMA_REGION: Cannot reach region "fra": it is not in the table (sjc, zrh)'],
  )
})

test('doctor never says of an empty file of the secret only that it cannot be read', async () => {
  const file = join(dir.path, 'empty')
  writeFileSync(file, '', { mode: 0o600 })
  assert.match((await ask(['doctor'], { CLOUDSIGMA_CLIENT_SECRET_FILE: file })).stdout, /client secret: it is empty\n\s+Put the secret/)
})

test('owners inspect never takes an e-mail address for an owner of whom nothing is known', async () => {
  const { code, stderr } = await ask(['owners', 'inspect', '--owner', 'user@example.com'])
  assert.equal(code, 2)
  assert.match(stderr, /that is no id[^]*whoami/)
})

test('whoami never says that the trail cannot be written without saying where and why', async () => {
  mkdirSync(join(dir.path, 'blocked', 'audit', 'mints.jsonl'), { recursive: true })
  const { code, stdout } = await ask(['whoami', '--owner', 'user@example.com', '--region', 'zrh', '--data', join(dir.path, 'blocked')])
  assert.equal(code, 1)
  assert.match(stdout, /Cannot write the trail of tokens to .*mints\.jsonl: EISDIR/)
})
