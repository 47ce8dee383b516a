import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { CLIENT, SECRET, settingsOf, whoami } from './support/cloud-suite.ts'
import type { CloudPlace } from './support/cloud-suite.ts'
import { run } from './support/process.ts'
import { temporaryDir } from './support/product.ts'

type Finding = { readonly what: string; readonly state: string; readonly detail: string; readonly mend?: string }

let cloud: SandboxCloud
let place: CloudPlace
const dir = temporaryDir()
before(async () => {
  cloud = await startSandboxCloud()
  const { oauthUrl, realm } = cloud
  place = { cloud, oauthUrl, realm, lifeMs: 60_000, [Symbol.asyncDispose]: () => cloud.close() }
})
afterEach(() => {
  cloud.clearFaults()
  cloud.setKnobs({ oauthClockSkewMs: 0, oauthState: 'up' })
})
after(async () => {
  await cloud.close()
  dir[Symbol.dispose]()
})

/** What doctor says of the cloud. Without a data directory it looks at nothing else. */
async function doctor(env: Readonly<Record<string, string>> = {}, data = join(dir.path, 'none')): Promise<Map<string, Finding>> {
  const { stdout, stderr } = await run(['doctor', '--json', '--data', data], { env: { ...settingsOf(place), ...env } })
  assert.doesNotMatch(stdout + stderr, /bug:/)
  const findings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding)
  return new Map(findings.map((finding) => [finding.what, finding]))
}

/** The one finding that is wrong. */
async function wrong(env: Readonly<Record<string, string>>): Promise<Finding> {
  const found = [...(await doctor(env)).values()].filter(({ state, what }) => state === 'wrong' && what !== 'data directory')
  assert.equal(found.length, 1, JSON.stringify(found))
  const [finding] = found
  assert.ok(finding?.mend !== undefined)
  return finding
}

test('doctor finds a cloud that works fine, up to the RPT, and impersonates nobody', async () => {
  cloud.forgetCalls()
  const findings = await doctor()
  for (const what of ['cloud settings', 'issuer', 'client', 'UMA', 'cloud zrh', 'cloud sjc'])
    assert.equal(findings.get(what)?.state, 'fine', what)
  assert.match(findings.get('UMA')?.detail ?? '', /user-impersonation; the RPT lives 60 s/)
  assert.equal(findings.get('client secret')?.state, 'note')
  assert.ok(!cloud.calls().some(({ step }) => step === 'impersonate'))
})

test('doctor does not speak of a cloud where none is configured', async () => {
  const { stdout } = await run(['doctor', '--json', '--data', join(dir.path, 'none')])
  assert.doesNotMatch(stdout, /cloud|issuer/)
})

test('doctor never asks for a client secret where a minter has it, and says so where both are named', async () => {
  const minter = { CLOUDSIGMA_MINTER_SOCKET: join(dir.path, 'none.sock') }
  assert.match((await wrong(minter)).detail, /which the minter alone should have/)
  const { stdout } = await run(['doctor', '--json', '--data', join(dir.path, 'none')], { env: minter })
  assert.match(stdout, /none\.sock is no socket of this user/)
  assert.doesNotMatch(stdout, /CLOUDSIGMA_OAUTH_URL|client secret/)
})

test('doctor names what is missing once, all of it', async () => {
  const { detail } = await wrong({ CLOUDSIGMA_CLIENT_ID: '', CLOUDSIGMA_CLIENT_SECRET: '' })
  assert.match(detail, /CLOUDSIGMA_CLIENT_ID, CLOUDSIGMA_CLIENT_SECRET_FILE \(or CLOUDSIGMA_CLIENT_SECRET\) are not set/)
})

test('doctor says which of client, UMA, realm and issuer it is', async () => {
  assert.match((await wrong({ CLOUDSIGMA_CLIENT_SECRET: 'wrong' })).detail, /does not accept client kubernetes_cluster_service/)
  const uma = await wrong({ CLOUDSIGMA_CLIENT_ID: 'untrusted_service', CLOUDSIGMA_CLIENT_SECRET: 'un-secret' })
  assert.deepEqual([uma.what, /not granted impersonation/.test(uma.detail)], ['UMA', true])
  const realm = await doctor({ CLOUDSIGMA_OAUTH_REALM: 'nope' })
  assert.deepEqual([realm.get('issuer')?.state, realm.get('client')?.state], ['wrong', 'wrong'])
  const none = await doctor({ CLOUDSIGMA_OAUTH_URL: 'http://127.0.0.1:1' })
  assert.match(none.get('issuer')?.detail ?? '', /ECONNREFUSED/)
})

test('doctor and whoami say which clock is off, and by how much', async () => {
  cloud.setKnobs({ oauthClockSkewMs: 3_600_000 })
  const clock = (await doctor()).get('clock')
  assert.match(clock?.detail ?? '', /the clock of the authorization server is (3599|3600|3601) s ahead of this machine's/)
  const { answer } = await whoami(place, { dir: dir.path })
  // Whether it works at all is the cloud's affair; if not, whoami says why.
  if (!answer.ok) assert.match(answer.remarks.join(), /clock of the authorization server/)
  cloud.setKnobs({ oauthClockSkewMs: -3_600_000 })
  const behind = await whoami(place, { dir: dir.path })
  assert.equal(behind.answer.ok, false)
  assert.match(behind.answer.remarks.join(), /the clock of the authorization server is \d+ s behind this machine's/)
})

test('doctor says that a host of the table is not the API', async () => {
  const api = cloud.oauthUrl.replace('127.0.0.1', 'oauth.localhost')
  const found = await doctor({ CLOUDSIGMA_REGIONS: '', ASCRIBE_CLOUD_ENDPOINTS: JSON.stringify({ zrh: { api } }) })
  assert.deepEqual([found.get('cloud zrh')?.state, /is not the API/.test(found.get('cloud zrh')?.detail ?? '')], ['wrong', true])
})

test('doctor looks at the file of the secret', async () => {
  const file = join(dir.path, 'secret')
  writeFileSync(file, SECRET)
  chmodSync(file, 0o644)
  assert.match((await wrong({ CLOUDSIGMA_CLIENT_SECRET_FILE: file })).mend ?? '', /chmod/)
  chmodSync(file, 0o600)
  assert.equal((await doctor({ CLOUDSIGMA_CLIENT_SECRET_FILE: file })).get('client secret')?.state, 'fine')
  assert.equal((await doctor({ CLOUDSIGMA_CLIENT_SECRET_FILE: join(dir.path, 'gone') })).get('client secret')?.state, 'wrong')
})

test('doctor says what the legacy mode means, and whose account it is', async () => {
  const user = cloud.users.find(({ isPlatform }) => isPlatform)
  assert.ok(user)
  const legacy = { CLOUDSIGMA_IMPERSONATION_ENABLED: 'false', CLOUDSIGMA_USERNAME: user.email, CLOUDSIGMA_PASSWORD: user.password }
  const findings = await doctor(legacy)
  assert.match(findings.get('cloud settings')?.mend ?? '', /billed to, this one account/)
  assert.match(findings.get('account')?.detail ?? '', new RegExp(user.uuid))
  assert.equal((await doctor({ ...legacy, CLOUDSIGMA_PASSWORD: 'wrong' })).get('account')?.state, 'wrong')
})

test('H-15: no command says a secret or a token, whatever is asked and however it fails', async () => {
  cloud.changeClient(CLIENT, { secret: 'CANARY-client' })
  cloud.addUser({ email: 'legacy@example.com', password: 'CANARY-password' })
  const marked = {
    CLOUDSIGMA_CLIENT_SECRET: 'CANARY-client',
    CLOUDSIGMA_USERNAME: 'legacy@example.com',
    CLOUDSIGMA_PASSWORD: 'CANARY-password',
  }
  const reply = await fetch(`${cloud.issuer}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: CLIENT, client_secret: 'CANARY-client' }),
  })
  const token = join(dir.path, 'token')
  const body = await reply.text()
  writeFileSync(token, body)
  const broken = join(dir.path, 'broken-token')
  writeFileSync(broken, `${body.slice(0, -40)} CANARY-broken`)
  mkdirSync(join(dir.path, 'data'), { recursive: true })
  const data = ['--data', join(dir.path, 'data'), '--log-level', 'debug']
  const owner = ['--owner', 'user@example.com', '--region', 'zrh']
  const commands: (readonly [readonly string[], Readonly<Record<string, string>>?])[] = [
    [['whoami', ...owner]],
    [['whoami', ...owner, '--json']],
    [['whoami', ...owner, '--expect', cloud.users[0]?.uuid ?? '']],
    [['whoami', ...owner], { CLOUDSIGMA_CLIENT_SECRET: 'CANARY-wrong' }],
    [['whoami', ...owner], { CLOUDSIGMA_OAUTH_URL: 'http://user:CANARY-userinfo@127.0.0.1:1' }],
    [['whoami', '--region', 'zrh'], { CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' }],
    [['whoami', '--region', 'zrh'], { CLOUDSIGMA_IMPERSONATION_ENABLED: 'false', CLOUDSIGMA_PASSWORD: 'CANARY-wrong' }],
    [['doctor']],
    [['config', '--print']],
    [['config', '--print', '--json']],
    [['config', '--print'], { CLOUDSIGMA_OAUTH_URL: 'https://user:CANARY-userinfo@oauth.example' }],
    [['token', 'inspect', token]],
    [['token', 'inspect', token, '--json']],
    [['token', 'inspect', broken]],
    [['owners', 'inspect', '--json']],
  ]
  const basic = Buffer.from('legacy@example.com:CANARY-password').toString('base64')
  for (const [words, env] of commands) {
    const { stdout, stderr } = await run([...words, ...data], { env: { ...settingsOf(place), ...marked, ...env } })
    const said = stdout + stderr
    assert.ok(said.length > 0, words.join(' '))
    assert.ok(!/CANARY|eyJ/.test(said) && !said.includes(basic), `${words.join(' ')}: ${said}`)
  }
  cloud.changeClient(CLIENT, { secret: SECRET })
})

test('doctor vouches for the trail of tokens, and not for one that was changed or that others can read', async () => {
  const data = join(dir.path, 'trail')
  mkdirSync(data)
  for (const owner of ['user@example.com', 'nobody@example.com']) await whoami(place, { dir: data, owner })
  assert.match((await doctor({}, data)).get('trail of tokens')?.detail ?? '', /2 lines, an unbroken chain/)
  const path = join(data, 'audit', 'mints.jsonl')
  writeFileSync(path, readFileSync(path, 'utf8').replace('zrh', 'sjc'))
  assert.match((await doctor({}, data)).get('trail of tokens')?.detail ?? '', /line 2 .* does not follow/)
  chmodSync(path, 0o644)
  assert.match((await doctor({}, data)).get('trail of tokens')?.mend ?? '', /chmod 600/)
})

test('whoami hands out nothing when the trail cannot be written, and says so', async () => {
  const file = join(dir.path, 'a-file')
  writeFileSync(file, '')
  const { answer, code } = await whoami(place, { dir: join(file, 'data') })
  assert.deepEqual([code, answer.ok, answer.failure?.step, answer.failure?.reason], [1, false, 'audit', 'audit_failed'])
  assert.match(answer.failure?.why ?? '', /the trail of tokens cannot be written/)
})

test('whoami does not wait longer than its deadline for a server that says nothing', async () => {
  cloud.addFault({ match: { step: 'service-token' }, does: { hang: true } })
  const { answer } = await whoami(place, { dir: dir.path })
  assert.deepEqual([answer.failure?.step, answer.failure?.reason], ['service_token', 'timeout'])
  assert.match(answer.failure?.why ?? '', /did not answer in time/)
})

test('R-2: whoami is told when the cloud gives the token of somebody else', async () => {
  cloud.setKnobs({ impersonateGives: 'other@example.com' })
  const { answer } = await whoami(place, { dir: dir.path })
  assert.deepEqual([answer.ok, answer.failure?.reason], [false, 'email_mismatch'])
  cloud.setKnobs({ impersonateGives: '' })
})

test('doctor tells when the issuer calls itself by another name, as behind a proxy; whoami says so when it matters', async () => {
  const { host } = new URL(cloud.oauthUrl)
  const proxy = createServer((incoming, outgoing) => {
    const options = { method: incoming.method, headers: { ...incoming.headers, host } }
    const forward = request(`${cloud.oauthUrl}${incoming.url}`, options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(forward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port } = proxy.address() as AddressInfo
  const env = { CLOUDSIGMA_OAUTH_URL: `http://127.0.0.1:${port}` }
  const findings = await doctor(env)
  assert.deepEqual([findings.get('issuer')?.state, findings.get('UMA')?.state], ['note', 'fine'])
  assert.match(findings.get('issuer')?.detail ?? '', new RegExp(`127.0.0.1:${port}/.* calls itself ${cloud.issuer}`))
  assert.equal((await whoami(place, { dir: dir.path, env })).answer.ok, true)
  await using other = await startSandboxCloud()
  const { answer } = await whoami(place, { dir: dir.path, env: { ...env, CLOUDSIGMA_API_URL: other.apiUrl } })
  assert.equal(answer.failure?.reason, 'bearer_refused')
  assert.match(answer.remarks.join(), /the authorization server calls itself http:.* and is configured as http:/)
  proxy.close()
  proxy.closeAllConnections()
})
