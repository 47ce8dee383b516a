import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ClientRefusedError,
  MintThrottledError,
  MintUnavailableError,
  NotAuthorizedError,
  OwnerRefusedError,
  createRegionTable,
  createRemoteTokenSource,
  formatMintError,
  formatTokenAnswer,
  parseDiscoverQuestion,
  parseTokenQuestion,
} from '../src/index.ts'
import type { ImpersonationError, MintAudit, MinterChannel, TokenAnswer, TokenQuestion, TokenSource } from '../src/index.ts'
import { parseMintError } from '../src/minter-protocol.ts'

const OWNER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const ORIGIN = 'https://direct.zrh.cloudsigma.com'
const REQUEST = { ownerUuid: OWNER, ownerEmail: 'ada@example.com', region: 'zrh', bindingGeneration: 'uid/1', actor: { object: 'm' } }
const regions = createRegionTable({ entries: { zrh: { api: ORIGIN } } })

const answer = (over: Partial<TokenAnswer> = {}): { status: number; body: string } => ({
  status: 200,
  body: formatTokenAnswer({
    accessToken: 'secret-of-ada',
    lifeMs: 300_000,
    subject: OWNER,
    origin: ORIGIN,
    record: { at: 1, requestId: 'r', tokenId: 'id-1', tokenActor: undefined, issuer: 'https://o', clientId: 'c' },
    ...over,
  }),
})
const refusal = (error: ImpersonationError, status = 403): { status: number; body: string } => ({ status, body: formatMintError(error) })

type World = { readonly source: TokenSource; readonly asked: TokenQuestion[]; readonly records: MintAudit[] } & Disposable

/** A minter that answers in turn; the last answer for ever. */
function open(...answers: readonly ({ status: number; body: string } | Error)[]): World {
  const asked: TokenQuestion[] = []
  const records: MintAudit[] = []
  const channel: MinterChannel = {
    place: 'minter',
    async post(_path, body) {
      asked.push(body as TokenQuestion)
      const next = answers[Math.min(asked.length, answers.length) - 1]
      if (next instanceof Error || next === undefined) throw next ?? new Error('no answer')
      return { headers: new Map(), ...next }
    },
    [Symbol.dispose]: () => {},
  }
  const audit = async (record: MintAudit): Promise<void> => void records.push(record)
  const source = createRemoteTokenSource({ channel, impersonator: 'prod', regions, audit, limits: { sweepMs: 0 }, random: () => 0.5 })
  return { source, asked, records, [Symbol.dispose]: () => source[Symbol.dispose]() }
}

test('createRemoteTokenSource() asks for owner, region and binding, says no address, and keeps the token as any source does', async () => {
  using world = open(answer())
  const [one, other] = await Promise.all([world.source.token(REQUEST), world.source.token(REQUEST)])
  assert.equal(one, other)
  assert.equal(one.authorization(ORIGIN), 'Bearer secret-of-ada')
  assert.deepEqual(world.asked, [{ owner: OWNER, region: 'zrh', binding: 'uid/1', impersonator: 'prod', actor: { object: 'm' } }])
  assert.doesNotMatch(JSON.stringify(world.asked), /ada@/)
  const [record] = world.records
  assert.deepEqual([record?.ownerUuid, record?.tokenId, record?.outcome, record?.actor], [OWNER, 'id-1', 'minted', { object: 'm' }])
  assert.doesNotMatch(JSON.stringify(world.records), /secret-of-ada/)
})

test('after a 401 of the cloud the minter is told which token it was', async () => {
  using world = open(answer())
  world.source.invalidate(await world.source.token(REQUEST))
  await world.source.token(REQUEST)
  assert.deepEqual(
    world.asked.map(({ rejected }) => rejected),
    [undefined, 'id-1'],
  )
})

test('R-1, R-2: a token of another user or host is refused here too, whoever made it', async () => {
  for (const [over, reason] of [
    [{ subject: 'ffffffff-13b5-4a0f-9a43-6f3a4f1a2b3c' }, 'subject_mismatch'],
    [{ origin: 'https://evil.example' }, 'wrong_origin'],
    [{ lifeMs: 0 }, 'answer_invalid'],
    [{ accessToken: '' }, 'answer_invalid'],
  ] as const) {
    using world = open(answer(over))
    await assert.rejects(world.source.token(REQUEST), { reason })
    assert.deepEqual(world.records, [])
  }
})

test('what the minter says went wrong arrives as what it was: for whom, for how long, and whether to ask again', async () => {
  const fields = { step: 'impersonate', reason: 'user_unknown', status: 404, hint: 'h', requestId: 'q' } as const
  const denied = open(refusal(new OwnerRefusedError('gone', fields), 422))
  await assert.rejects(denied.source.token(REQUEST), (error) => error instanceof OwnerRefusedError && error.message === 'gone')
  // Remembered as a refusal of the owner: not asked again at once.
  await assert.rejects(denied.source.token(REQUEST), OwnerRefusedError)
  assert.equal(denied.asked.length, 1)
  const throttled = open(refusal(new MintThrottledError('later', { step: 'local', reason: 'queue_full', retryAfterMs: 7 }), 503))
  await assert.rejects(throttled.source.token(REQUEST), { reason: 'queue_full', retryAfterMs: 7, retryable: true })
  // A policy that refused may be a cache that is behind: nothing is remembered.
  const behind = open(refusal(new NotAuthorizedError('no')), answer())
  await assert.rejects(behind.source.token(REQUEST), NotAuthorizedError)
  assert.equal((await behind.source.token(REQUEST)).subject, OWNER)
  for (const world of [denied, throttled, behind]) world[Symbol.dispose]()
})

test('a minter that is away is an outage: retried once, then left alone; one that knows us not is told from a client that the cloud refuses', async () => {
  using away = open(new Error('ECONNREFUSED'))
  await assert.rejects(
    away.source.token(REQUEST),
    (error) => error instanceof MintUnavailableError && error.step === 'minter' && error.retryable,
  )
  assert.equal(away.asked.length, 2)
  using unknown = open({ status: 401, body: formatMintError(new ClientRefusedError('who', { step: 'minter', reason: 'client_refused' })) })
  await assert.rejects(unknown.source.token(REQUEST), { reason: 'client_refused', retryable: true })
  using other = open({ status: 200, body: '<html>' })
  await assert.rejects(other.source.token(REQUEST), { reason: 'answer_invalid' })
})

test('questions are what they must be, or none; errors cross whole (properties)', () => {
  const text = fc.string({ maxLength: 600 })
  const anything = fc.oneof(
    fc.json(),
    fc
      .record(
        { owner: text, region: text, impersonator: text, binding: fc.oneof(text, fc.double()), actor: fc.anything() },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
    text,
  )
  fc.assert(
    fc.property(anything, (body) => {
      const question = parseTokenQuestion(body)
      if (question !== undefined) {
        for (const value of [question.owner, question.region, question.impersonator, ...Object.values(question.actor)])
          assert.ok(typeof value === 'string' && value.length <= 512)
        assert.deepEqual(parseTokenQuestion(JSON.stringify(question)), question)
      }
      parseDiscoverQuestion(body)
      parseMintError(body)
    }),
  )
  fc.assert(
    fc.property(text, fc.option(fc.nat(), { nil: undefined }), (message, retryAfterMs) => {
      const error = new MintUnavailableError(message, { step: 'rpt', reason: 'server_error', status: 503, retryAfterMs })
      const found = parseMintError(formatMintError(error))
      assert.ok(found instanceof MintUnavailableError)
      assert.deepEqual(
        [found.message, found.step, found.reason, found.status, found.retryAfterMs],
        [message, 'rpt', 'server_error', 503, retryAfterMs],
      )
    }),
  )
})
