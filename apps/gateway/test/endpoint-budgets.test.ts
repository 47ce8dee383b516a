import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Budget, PriceList } from '@ascribe/admission'
import { startEngine } from '@ascribe/sandbox'
import type { SandboxEngine } from '@ascribe/sandbox'
import type { Route } from '../src/index.ts'
import { startControlled } from './controlled.ts'
import type { ControlledGateway } from './controlled.ts'
import { IDENTITY, ask, until } from './support.ts'
import type { Answer } from './support.ts'

const TOKENS: Budget = { id: 't', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' }
const MONEY: Budget = { ...TOKENS, id: 'm', unit: 'USD' }
const PRICES: readonly PriceList[] = [
  {
    currency: 'USD',
    models: {
      'sandbox-tts': { input_tokens: '1', input_characters: '10' },
      'sandbox-whisper': { input_audio_ms: '1' },
      'sandbox-transcribe': { input_tokens: '1', input_audio_tokens: '2', output_tokens: '3' },
      'sandbox-image': { input_tokens: '1', input_image_tokens: '1', output_image_tokens: '5' },
      'sandbox-image-plain': { images: '1000' },
      'sandbox-rerank': { search_units: '500' },
    },
  },
]

const SPEECH = { path: '/v1/audio/speech', body: { model: 'sandbox-tts', voice: 'alloy', input: 'copper bridge' } }
const IMAGES = { path: '/v1/images/generations', body: { model: 'sandbox-image-plain', prompt: 'a river', n: 2 } }
const RANKING = { path: '/v2/rerank', body: { model: 'sandbox-rerank', query: 'bridge', documents: ['river', 'stone'] } }
const COUNT = { path: '/v1/messages/count_tokens', body: { model: 'sandbox-small', messages: [] } }
const SOUND = (model: string): { path: string; headers: Record<string, string>; body: string } => ({
  path: '/v1/audio/transcriptions',
  headers: { ...IDENTITY, 'Content-Type': 'multipart/form-data; boundary=b0undary' },
  body: `--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n${'sound!  '.repeat(250)}\r\n--b0undary--\r\n`,
})

type World = ControlledGateway & { readonly engine: SandboxEngine; readonly url: string }

async function controlled(t: TestContext, route: Partial<Route> = {}): Promise<World> {
  const engine = await startEngine()
  t.after(() => engine.close())
  const world = await startControlled(t, { upstream: engine.url, route })
  return { ...world, engine, url: world.gateway.url }
}

const codeOf = (answer: Answer): unknown =>
  answer.status < 400 ? undefined : (JSON.parse(answer.text) as { error: { code?: unknown } }).error.code

const usedOf = async ({ told }: World): Promise<number> => Number((await told())?.used ?? -1)

for (const [what, request, route, reserved, used] of [
  ['speech by its characters', SPEECH, {}, 130, 130],
  ['images by their number', IMAGES, {}, 2000, 2000],
  ['a ranking by search units', RANKING, {}, 500, 500],
  ['a transcription by the longest sound', SOUND('sandbox-whisper'), { maxAudioSeconds: 60 }, 60_000, 2000],
] as const) {
  test(`bifrost-2873: ${what} is held against a budget in money before it is sent, and counted when it has ended`, async (t) => {
    const world = await controlled(t, { ...route, maxOutputTokens: 10 })
    await world.rule({ budgets: [MONEY], prices: PRICES }, reserved - 1)
    const refused = await ask(world.url, request)
    assert.deepEqual([refused.status, codeOf(refused)], [402, 'insufficient_quota'], refused.text)
    assert.equal(world.engine.seen.length, 0, 'what is refused never reaches the engine')
    await world.rule({ budgets: [MONEY], prices: PRICES }, reserved)
    const served = await ask(world.url, request)
    assert.equal(served.status, 200, served.text)
    await until(`${used} are used`, async () => (await usedOf(world)) === used)
  })
}

for (const [what, request, budget, setting] of [
  ['a transcription without max_audio_seconds', SOUND('sandbox-whisper'), MONEY, 'max_audio_seconds'],
  ['a transcription that is sold by tokens', SOUND('sandbox-transcribe'), MONEY, 'max_audio_seconds'],
  ['images that are sold by tokens', { ...IMAGES, body: { ...IMAGES.body, model: 'sandbox-image' } }, MONEY, 'max_output_tokens'],
  ['speech under a budget in tokens', SPEECH, TOKENS, 'max_output_tokens'],
] as const) {
  test(`${what} is refused under a budget that could not hold, with the setting that is missing`, async (t) => {
    const world = await controlled(t)
    await world.rule({ budgets: [budget], prices: PRICES }, 1_000_000)
    const answer = await ask(world.url, request)
    assert.deepEqual([answer.status, codeOf(answer)], [403, 'budget_unbounded'])
    assert.match(answer.text, new RegExp(`state ${setting} for the route`))
    assert.equal(world.engine.seen.length, 0)
  })
}

test('a transcription that is sold by tokens reserves the tokens of the longest sound', async (t) => {
  const world = await controlled(t, { maxAudioSeconds: 10, maxOutputTokens: 50 })
  // 1000 tokens of sound at 2, 256 of a prompt at 1, 50 out at 3.
  await world.rule({ budgets: [MONEY], prices: PRICES }, 2405)
  assert.equal((await ask(world.url, SOUND('sandbox-transcribe'))).status, 402)
  await world.rule({ budgets: [MONEY], prices: PRICES }, 2406)
  assert.equal((await ask(world.url, SOUND('sandbox-transcribe'))).status, 200)
  await until('what was used is counted', async () => (await usedOf(world)) === 20 * 2 + 4 * 3)
})

test('a member that makes more images than are asked for is refused under a budget', async (t) => {
  const world = await controlled(t)
  await world.rule({ budgets: [MONEY], prices: PRICES }, 1_000_000)
  const answer = await ask(world.url, { ...IMAGES, body: { ...IMAGES.body, num_images: 9 } })
  assert.equal(answer.status, 400)
  assert.equal(world.engine.seen.length, 0)
})

test('counting tokens is held against no budget, not even an exhausted one', async (t) => {
  const world = await controlled(t)
  await world.rule({ budgets: [MONEY, TOKENS], prices: PRICES }, 0)
  assert.equal((await ask(world.url, SPEECH)).status >= 400, true)
  assert.equal((await ask(world.url, COUNT)).status, 200)
  assert.equal(await usedOf(world), 0)
})

test('a file does not count as text against a limit of tokens, and counting tokens counts as a request', async (t) => {
  const world = await controlled(t)
  const limit = { scope: 'credential', subject: 'auth-1', requestsPerMinute: 50, tokensPerMinute: 400 } as const
  await world.rule({ limits: [limit] })
  assert.equal((await ask(world.url, SOUND('sandbox-whisper'))).status, 200, 'its 2 kB would be 500 tokens')
  const answers = await Promise.all(Array.from({ length: 51 }, () => ask(world.url, COUNT)))
  assert.ok(answers.some((answer) => answer.status === 200))
  const refused = answers.filter((answer) => answer.status === 429)
  assert.ok(refused.length > 0)
  for (const answer of refused) assert.match(answer.text, /rate_limit_error/)
})
