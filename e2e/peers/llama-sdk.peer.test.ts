import { after, before, describe } from 'node:test'
import { aiSuite } from '../support/sdk/ai-suite.ts'
import { anthropicSuite } from '../support/sdk/anthropic-suite.ts'
import { openaiSuite } from '../support/sdk/openai-suite.ts'
import { targetOf } from '../support/sdk/target.ts'
import type { SdkTarget } from '../support/sdk/target.ts'
import { MODEL, startLlamaServer } from './engine/start.ts'
import { engines, meterEngine } from './support/metered-engine.ts'
import type { MeteredEngine } from './support/metered-engine.ts'

// The official clients in front of a real engine: what they show of usage, and what they make of its streams, is what is recorded.

const available = await engines()
const CAN = { tools: false, faults: false }

describe('official clients on llama-server', { skip: available.skip }, () => {
  let metered: MeteredEngine
  let target: SdkTarget
  before(async () => {
    if (available.skip !== false) return
    metered = await meterEngine(() => startLlamaServer(available.installed))
    target = targetOf(metered.product, { model: MODEL, embedModel: MODEL })
  })
  after(() => metered?.[Symbol.asyncDispose]())

  openaiSuite(() => target, CAN)
  anthropicSuite(() => target, CAN)
  aiSuite(() => target, CAN)
})
