import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { run } from '../support/process.ts'
import { MODEL, startLlamaPython, startLlamaServer } from './engine/start.ts'
import type { Engine } from './engine/start.ts'
import { engines } from './support/metered-engine.ts'

// What `ascribe conformance` says of two engines whose faults are known. A verdict that changes is a reason to look: either the
// engine has learnt something, or the check has gone blind.

const available = await engines()

type Report = {
  readonly model: string
  readonly faults: number
  readonly settings: Readonly<Record<string, unknown>>
  readonly findings: readonly { readonly capability: string; readonly verdict: string }[]
}

async function check(engine: Engine): Promise<Report & { readonly verdicts: Readonly<Record<string, string>> }> {
  const { code, stdout, stderr } = await run(['conformance', engine.url, '--json'])
  assert.equal(code, 3, stderr)
  const report = JSON.parse(stdout) as Report
  return { ...report, verdicts: Object.fromEntries(report.findings.map(({ capability, verdict }) => [capability, verdict])) }
}

describe('ascribe conformance', { skip: available.skip }, () => {
  test('llama-server: one choice of several is counted, everything else by its own counter', async () => {
    if (available.skip !== false) return
    await using engine = await startLlamaServer(available.installed)
    const { verdicts, settings, model } = await check(engine)
    assert.equal(model, MODEL)
    assert.deepEqual(verdicts, {
      counter: 'ok',
      tokenizer: 'ok',
      chat: 'ok',
      'chat-stream': 'ok',
      'include-usage': 'ok',
      completions: 'ok',
      'completions-stream': 'ok',
      embeddings: 'ok',
      responses: 'ok',
      'responses-stream': 'ok',
      messages: 'ok',
      'messages-stream': 'ok',
      choices: 'misreports',
      'choices-stream': 'misreports',
      prompts: 'misreports',
      cached: 'ok',
      leaving: 'ok',
      limits: 'ok',
      overlong: 'ok',
      errors: 'ok',
      'errors-json': 'misreports',
      'request-id': 'ok',
      'unknown-model': 'misreports',
      encoding: 'ok',
    })
    assert.deepEqual(settings, { multiple_choices: 'refuse', models: [MODEL] })
  })

  test('llama-cpp-python: silent in streams, and every other fault that we know of', async () => {
    if (available.skip !== false) return
    await using engine = await startLlamaPython(available.installed)
    const { verdicts, settings } = await check(engine)
    assert.deepEqual(verdicts, {
      counter: 'absent',
      tokenizer: 'ok',
      chat: 'ok',
      'chat-stream': 'silent',
      'include-usage': 'ok',
      completions: 'ok',
      'completions-stream': 'silent',
      embeddings: 'ok',
      responses: 'absent',
      'responses-stream': 'absent',
      messages: 'absent',
      'messages-stream': 'absent',
      choices: 'absent',
      'choices-stream': 'absent',
      prompts: 'unclear',
      cached: 'absent',
      leaving: 'unclear',
      limits: 'misreports',
      overlong: 'misreports',
      errors: 'misreports',
      'errors-json': 'misreports',
      'request-id': 'misreports',
      'unknown-model': 'misreports',
      encoding: 'ok',
    })
    assert.deepEqual(settings, { silent_streams: 'tokenize', forward_request_id: false, models: [MODEL] })
  })
})
