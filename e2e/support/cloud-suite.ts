import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { startSandboxCloud } from '@ascribe/sandbox'
import type { SandboxCloud } from '@ascribe/sandbox'
import { run } from './process.ts'
import type { Finished } from './process.ts'
import { temporaryDir } from './product.ts'

/** An authorization server, ours or a real one, and a cloud that believes it. */
export type CloudPlace = AsyncDisposable & {
  readonly cloud: SandboxCloud
  readonly oauthUrl: string
  readonly realm: string
  /** How long a service-account token of the trusted client lives. */
  readonly lifeMs: number
}

export const CLIENT = 'kubernetes_cluster_service'
export const SECRET = 'kcs-secret'
const OWNER = 'user@example.com'

/** The variables of the founding document for a place. */
export function settingsOf({ cloud, oauthUrl, realm }: CloudPlace): Record<string, string> {
  return {
    CLOUDSIGMA_OAUTH_URL: oauthUrl,
    CLOUDSIGMA_OAUTH_REALM: realm,
    CLOUDSIGMA_CLIENT_ID: CLIENT,
    CLOUDSIGMA_CLIENT_SECRET: SECRET,
    CLOUDSIGMA_API_URL: cloud.apiUrl,
    CLOUDSIGMA_REGIONS: 'zrh,sjc',
  }
}

export type Answer = {
  readonly ok: boolean
  readonly usable: boolean
  readonly account?: { readonly uuid: string; readonly email: string; readonly state: string; readonly balance?: string }
  readonly failure?: {
    readonly step: string
    readonly reason: string
    readonly why: string
    readonly message: string
    readonly status?: number
  }
  readonly steps: readonly {
    readonly step: string
    readonly life_ms?: number
    readonly life_from?: string
    readonly permissions?: string[]
  }[]
  readonly remarks: readonly string[]
  readonly origin: string
}

export type Asking = {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly dir: string
  readonly owner?: string
  readonly region?: string
}

/** Asks `ascribe whoami --json`, whatever comes of it. */
export async function whoami(
  place: CloudPlace,
  { args = [], env = {}, dir, owner = OWNER, region = 'zrh' }: Asking,
): Promise<Finished & { answer: Answer }> {
  const words = ['whoami', '--owner', owner, '--region', region, '--json', '--data', dir, ...args]
  const finished = await run(words, { env: { ...settingsOf(place), ...env } })
  assert.match(finished.stdout, /^\{.*\}\n$/, finished.stderr)
  return { ...finished, answer: JSON.parse(finished.stdout) as Answer }
}

/** What must hold whichever authorization server it is. Gives the place, for tests of one's own after these. */
export function testCloud<Place extends CloudPlace>(
  name: string,
  open: () => Promise<Place>,
  { skip }: { readonly skip: string | false } = { skip: false },
): () => Place {
  let place: Place
  const dir = temporaryDir()
  before(async () => {
    if (skip === false) place = await open()
  })
  afterEach(() => place?.cloud.clearFaults())
  after(async () => {
    await place?.[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })
  const check = (what: string, body: () => Promise<void>): void => void test(`${name}: ${what}`, { skip }, body)
  const ask = (asking: Partial<Asking> = {}): Promise<Finished & { answer: Answer }> => whoami(place, { dir: dir.path, ...asking })
  const userOf = (email: string): SandboxCloud['users'][number] => {
    const user = place.cloud.users.find((each) => each.email === email)
    assert.ok(user)
    return user
  }
  /** A refusal at a step, for a reason, in words. */
  const refuses = async (
    asking: Partial<Asking>,
    expected: { step: string; reason: string; why: RegExp; code?: number },
  ): Promise<Answer> => {
    const { answer, code } = await ask(asking)
    assert.deepEqual(
      [answer.ok, answer.failure?.step, answer.failure?.reason, code],
      [false, expected.step, expected.reason, expected.code ?? 1],
    )
    assert.match(answer.failure?.why ?? '', expected.why)
    return answer
  }

  check('whoami says who that is, in which account, at which host, and how long each token lives', async () => {
    const { answer, code } = await ask()
    assert.equal(code, 0)
    assert.deepEqual(answer.account, { uuid: userOf(OWNER).uuid, email: OWNER, state: 'REGULAR' })
    assert.deepEqual(
      answer.steps.map(({ step }) => step),
      ['service_token', 'rpt', 'impersonate', 'profile'],
    )
    const [service, rpt, impersonated] = answer.steps.map(({ life_ms: life }) => life)
    // Keycloak's expires_in is less than what the token says by as long as it took to answer: seconds, on a busy machine.
    for (const life of [service, rpt]) assert.ok(life !== undefined && life <= place.lifeMs && life > place.lifeMs / 2, `${life}`)
    assert.equal(impersonated, place.cloud.knobs.impTtlS * 1000)
    assert.deepEqual(answer.steps[1]?.permissions, ['user-impersonation'])
    assert.equal(answer.origin, place.cloud.apiUrl.replace('{region}', 'zrh'))
  })

  check('whoami --expect asserts the owner, and then may read the balance', async () => {
    const { answer } = await ask({ args: ['--expect', userOf(OWNER).uuid] })
    assert.deepEqual([answer.usable, answer.account?.uuid, typeof answer.account?.balance], [true, userOf(OWNER).uuid, 'string'])
  })

  check('R-2: whoami --expect refuses the token of another user', async () => {
    await refuses(
      { args: ['--expect', userOf('other@example.com').uuid] },
      { step: 'impersonate', reason: 'subject_mismatch', why: /another user.*destroyed unused/ },
    )
  })

  check('whoami says that the secret is wrong', async () => {
    await refuses(
      { env: { CLOUDSIGMA_CLIENT_SECRET: 'wrong' } },
      { step: 'service_token', reason: 'client_refused', why: /does not accept client kubernetes_cluster_service: its secret is wrong/ },
    )
  })

  check('whoami says that UMA is refused', async () => {
    await refuses(
      { env: { CLOUDSIGMA_CLIENT_ID: 'untrusted_service', CLOUDSIGMA_CLIENT_SECRET: 'un-secret' } },
      { step: 'rpt', reason: 'permission_denied', why: /UMA ticket: client untrusted_service is not granted/ },
    )
  })

  check('whoami says that there is no such realm', async () => {
    await refuses({ env: { CLOUDSIGMA_OAUTH_REALM: 'nope' } }, { step: 'service_token', reason: 'realm_unknown', why: /no realm nope/ })
  })

  check('whoami says that the user is not known, and that one is suspended', async () => {
    await refuses({ owner: 'nobody@example.com' }, { step: 'impersonate', reason: 'user_unknown', why: /knows no user nobody@example.com/ })
    await refuses({ owner: 'suspended@example.com' }, { step: 'impersonate', reason: 'user_refused', why: /suspended/ })
  })

  check('H-3: a region that is not in the table is refused, and nothing is sent anywhere', async () => {
    place.cloud.forgetCalls()
    for (const region of ['fra', 'x@evil.example/', 'a.b#'])
      await refuses({ region }, { step: 'local', reason: 'region_unknown', why: /no host in the table/, code: 2 })
    assert.deepEqual(place.cloud.calls(), [])
  })

  check('R-1: whoami at the wrong host of a region finds itself in another account, and says so', async () => {
    const { other, otherName } = place.cloud.regions['zrh'] ?? { other: '', otherName: '' }
    for (const api of new Set([other, otherName])) {
      const { answer, code } = await ask({
        args: ['--expect', userOf(OWNER).uuid],
        env: { CLOUDSIGMA_REGIONS: '', ASCRIBE_CLOUD_ENDPOINTS: JSON.stringify({ zrh: { api } }) },
      })
      assert.equal(code, 1)
      assert.equal(answer.ok, false)
    }
  })

  check('H-20: a redirect is refused, and what is secret goes nowhere', async () => {
    let visits = 0
    const elsewhere = createServer((_, response) => {
      visits += 1
      response.end()
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const { port } = elsewhere.address() as AddressInfo
    place.cloud.addFault({ match: { step: 'impersonate' }, does: { redirect: `http://127.0.0.1:${port}/` } })
    await refuses({}, { step: 'impersonate', reason: 'redirect', why: /elsewhere, which is not followed/ })
    place.cloud.clearFaults()
    elsewhere.close()
    elsewhere.closeAllConnections()
    assert.equal(visits, 0)
  })

  check('whoami tells a gateway that gave up from the cloud, and half an answer from a whole one', async () => {
    place.cloud.addFault({ match: { step: 'impersonate' }, does: { status: 504, body: 'html' } })
    await refuses({}, { step: 'impersonate', reason: 'server_error', why: /gateway.*gave up waiting \(504\)/ })
    place.cloud.clearFaults()
    place.cloud.addFault({ match: { step: 'impersonate' }, does: { truncateAt: 10 } })
    const { answer } = await ask()
    assert.equal(answer.ok, false)
    place.cloud.clearFaults()
    place.cloud.addFault({ match: { step: 'impersonate' }, does: { set: { access_token: '' } } })
    await refuses({}, { step: 'impersonate', reason: 'answer_invalid', why: /not what its interface says/ })
    place.cloud.clearFaults()
  })

  check('whoami says when the cloud believes another issuer', async () => {
    await using elsewhere = await startSandboxCloud({ realm: place.realm })
    const answer = await refuses(
      { env: { CLOUDSIGMA_OAUTH_URL: elsewhere.oauthUrl } },
      { step: 'impersonate', reason: 'bearer_refused', why: /does not believe our token: another issuer/ },
    )
    assert.deepEqual(answer.steps.map(({ step }) => step).slice(0, 2), ['service_token', 'rpt'])
  })

  check('the file of the client secret wins, and is read again when it changes', async () => {
    const file = join(dir.path, 'client-secret')
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 })
    const env = { CLOUDSIGMA_CLIENT_SECRET: 'not this one', CLOUDSIGMA_CLIENT_SECRET_FILE: file }
    assert.equal((await ask({ env })).answer.ok, true)
    writeFileSync(file, 'rotated')
    await refuses({ env }, { step: 'service_token', reason: 'client_refused', why: /rotated/ })
  })

  check('what is missing is named once, all of it, and nothing is tried', async () => {
    place.cloud.forgetCalls()
    const bare = { CLOUDSIGMA_OAUTH_URL: '', CLOUDSIGMA_CLIENT_ID: '', CLOUDSIGMA_CLIENT_SECRET: '' }
    const { code, stderr } = await run(['whoami', '--owner', OWNER, '--data', dir.path], { env: { ...settingsOf(place), ...bare } })
    assert.equal(code, 2)
    for (const word of ['CLOUDSIGMA_OAUTH_URL', 'CLOUDSIGMA_CLIENT_ID', 'CLOUDSIGMA_CLIENT_SECRET_FILE'])
      assert.equal(stderr.split(word).length, 2, `${word} in ${stderr}`)
    assert.deepEqual(place.cloud.calls(), [])
  })

  check('H-18: an authorization server for trials is refused without a flag', async () => {
    place.cloud.forgetCalls()
    const env = { ...settingsOf(place), CLOUDSIGMA_OAUTH_URL: place.oauthUrl.replace('127.0.0.1', 'oauth-stg.localhost') }
    const words = ['whoami', '--owner', OWNER, '--region', 'zrh', '--data', dir.path]
    const { code, stderr } = await run(words, { env })
    assert.equal(code, 2)
    assert.match(stderr, /for trials[^]*--allow-staging/)
    assert.deepEqual(place.cloud.calls(), [])
    // Whatever that one answers, it is asked.
    assert.notEqual((await run([...words, '--allow-staging'], { env })).code, 2)
  })

  check('the legacy mode is one account, chosen by one variable alone', async () => {
    const user = userOf('platform@example.com')
    const legacy = { CLOUDSIGMA_USERNAME: user.email, CLOUDSIGMA_PASSWORD: user.password }
    const on = await ask({ env: { ...legacy, CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' }, owner: user.email })
    assert.deepEqual([on.code, on.answer.account?.uuid, typeof on.answer.account?.balance], [0, user.uuid, 'string'])
    // A user name and a password by themselves select nothing (H-5).
    assert.equal((await ask({ env: legacy })).answer.account?.uuid, userOf(OWNER).uuid)
    // Who asks for an owner there is told whose account it would be.
    const other = await ask({ env: { ...legacy, CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' } })
    assert.deepEqual([other.code, other.answer.usable], [1, false])
    assert.match(other.answer.remarks.join(), /platform@example.com's, not user@example.com's/)
  })

  check(
    'every token and every refusal leaves a line that only we can read, without tokens and addresses; owners inspect counts them',
    async () => {
      const own = join(dir.path, 'trail')
      for (const args of [[], ['--expect', userOf(OWNER).uuid], ['--expect', userOf('other@example.com').uuid]])
        await ask({ dir: own, args })
      await ask({ dir: own, owner: 'nobody@example.com' })
      const path = join(own, 'audit', 'mints.jsonl')
      assert.equal(statSync(path).mode & 0o777, 0o600)
      const text = readFileSync(path, 'utf8')
      assert.doesNotMatch(text, /eyJ|@example\.com|kcs-secret/)
      const { code, stdout } = await run(['owners', 'inspect', '--json', '--data', own])
      assert.equal(code, 0)
      const owners = JSON.parse(stdout) as { owner: string | null; mints: number; discoveries: number; refusals: number }[]
      assert.deepEqual(
        new Map(owners.map(({ owner, mints, discoveries, refusals }) => [owner, [mints, discoveries, refusals]])),
        new Map([
          [null, [0, 0, 1]],
          [userOf('other@example.com').uuid, [0, 0, 1]],
          [userOf(OWNER).uuid, [1, 1, 0]],
        ]),
      )
      // A line that was changed shows.
      writeFileSync(path, text.replace('"region":"zrh"', '"region":"sjc"'))
      const changed = await run(['owners', 'inspect', '--data', own])
      assert.deepEqual([changed.code, /line 2 does not follow/.test(changed.stderr)], [1, true])
      writeFileSync(path, text)
    },
  )
  return () => place
}
