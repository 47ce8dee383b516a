import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import { adviceOf } from '../src/conformance/advice.ts'
import { EngineUnreachableError } from '../src/conformance/engine-client.ts'
import { CHECKS, examineEngine } from '../src/conformance/examine-engine.ts'
import type { ExamineOptions } from '../src/conformance/examine-engine.ts'
import { isFault } from '../src/conformance/finding.ts'
import type { Finding } from '../src/conformance/finding.ts'

let engine: SandboxEngine
before(async () => {
  engine = await startEngine()
})
after(() => engine.close())

async function examine(faults: Faults, only: readonly string[] | undefined, more: Partial<ExamineOptions> = {}): Promise<Finding[]> {
  engine.setFaults(faults)
  const examination = await examineEngine({
    origin: engine.url,
    basePath: '/v1',
    model: undefined,
    credential: undefined,
    only,
    nonce: 'a nonce',
    timeoutMs: 120_000,
    clock: () => performance.now(),
    ...more,
  })
  return Array.fromAsync(examination.findings)
}

function verdicts(findings: readonly Finding[]): Readonly<Record<string, string>> {
  return Object.fromEntries(findings.map(({ capability, verdict }) => [capability, verdict]))
}

test('an engine that says what it does is found without fault, by its own counter, with a bounded number of questions', async () => {
  engine.forget()
  const findings = await examine({}, undefined)
  assert.deepEqual(findings.filter(isFault), [])
  const found = verdicts(findings)
  for (const name of [
    'counter',
    'tokenizer',
    'chat',
    'chat-stream',
    'completions',
    'embeddings',
    'choices',
    'prompts',
    'cached',
    'leaving',
  ])
    assert.equal(found[name], 'ok', name)
  for (const name of Object.keys(CHECKS)) assert.ok(name in found, `${name} was not looked at`)
  assert.ok(engine.seen.length < 60, `${engine.seen.length} requests to generate`)
  assert.equal(adviceOf(findings)['multiple_choices'], 'trust')
})

const CASES: readonly (readonly [string, Faults, readonly string[], Readonly<Record<string, string>>])[] = [
  ['reports nothing', { usage: 'none' }, ['chat', 'chat-stream'], { chat: 'silent', 'chat-stream': 'silent' }],
  ['is silent in streams only', { style: 'python' }, ['chat', 'chat-stream'], { chat: 'ok', 'chat-stream': 'silent' }],
  [
    'reports one choice of several',
    { underReport: true },
    ['choices', 'prompts'],
    { choices: 'misreports', 'choices-stream': 'misreports', prompts: 'misreports' },
  ],
  ['sends a usage block for each choice', { style: 'llama' }, ['choices'], { choices: 'misreports', 'choices-stream': 'misreports' }],
  ['ignores n', { style: 'python' }, ['choices'], { choices: 'absent' }],
  ['counts too little', { counts: { completion_tokens: 5 } }, ['chat', 'chat-stream'], { chat: 'misreports', 'chat-stream': 'misreports' }],
  ['counts too much', { counts: { completion_tokens: 500 } }, ['completions'], { completions: 'misreports' }],
  ['counts backwards', { counts: { completion_tokens: -1 } }, ['chat'], { chat: 'misreports' }],
  ['says that prompts are empty', { counts: { prompt_tokens: 0 } }, ['chat'], { chat: 'misreports' }],
  ['says of its cache what it likes', { counts: { cached_tokens: 0 } }, ['cached'], { cached: 'absent' }],
  ['leaves out the end of streams', { done: false }, ['chat-stream'], { 'chat-stream': 'ok', 'chat-stream-end': 'misreports' }],
  ['breaks streams off', { resetAt: 'before-usage' }, ['chat-stream'], { 'chat-stream': 'silent', 'chat-stream-end': 'misreports' }],
  [
    'ends streams before they begin',
    { emptyStream: true },
    ['chat-stream', 'overlong'],
    { 'chat-stream': 'misreports', overlong: 'misreports' },
  ],
  ['compresses unasked', { encoding: 'gzip' }, ['encoding'], { encoding: 'misreports' }],
  ['answers for any name', { style: 'llama' }, ['unknown-model'], { 'unknown-model': 'misreports' }],
  ['repeats any name', { style: 'python' }, ['unknown-model'], { 'unknown-model': 'misreports' }],
  ['fails', { status: 500 }, ['chat', 'errors'], { chat: 'unclear', errors: 'ok' }],
]
for (const [what, faults, only, expected] of CASES) {
  test(`an engine that ${what} is not called fine`, async () => {
    const found = verdicts(await examine(faults, only))
    for (const [name, verdict] of Object.entries(expected)) assert.equal(found[name], verdict, name)
  })
}

test('what to set follows from what was found, the stricter word of two', async () => {
  const silent = adviceOf(await examine({ style: 'python' }, ['chat-stream', 'unknown-model']))
  assert.deepEqual(silent, { silent_streams: 'tokenize', models: ['sandbox-small'] })
  const under = adviceOf(await examine({ style: 'llama' }, ['choices', 'prompts']))
  assert.equal(under['multiple_choices'], 'refuse')
})

test('time that is over ends the examination, and is never taken for a fault of the engine', async () => {
  let now = 0
  const findings = await examine({}, ['chat', 'chat-stream'], { timeoutMs: 1000, clock: () => (now += 60) })
  assert.equal(verdicts(findings)['chat-stream'], 'unclear')
  assert.deepEqual(findings.filter(isFault), [])
})

test('nobody there, a credential that is wanted, no model: each is said, and none is a finding', async () => {
  const gone = await startEngine()
  await gone.close()
  await assert.rejects(examine({}, undefined, { origin: gone.url }), EngineUnreachableError)
  await using guarded = await startEngine({ apiKey: 'open sesame' })
  await assert.rejects(
    examine({}, ['chat'], { origin: guarded.url }),
    (error) => error instanceof InputError && /--credential-env/.test(error.hint ?? ''),
  )
  await assert.rejects(examine({}, ['chat'], { origin: guarded.url, credential: 'wrong' }), (error) => {
    assert.ok(error instanceof InputError)
    assert.ok(!`${error.message}${error.hint}`.includes('wrong'), 'the credential is in the message')
    return true
  })
  assert.equal(verdicts(await examine({}, ['chat'], { origin: guarded.url, credential: 'open sesame' }))['chat'], 'ok')
})
