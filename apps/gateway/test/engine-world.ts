import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SandboxEngine } from '@ascribe/sandbox'
import { startTestGateway } from './support.ts'
import type { GatewayOptions, TestGateway } from './support.ts'

export type EngineWorld = TestGateway & { readonly engine: SandboxEngine }

/** A gateway before an engine of the sandbox, which has `faults` in each reply; both are closed after the test. */
export async function startWithEngine(
  t: TestContext,
  { faults, ...options }: GatewayOptions & { readonly faults?: Faults } = {},
): Promise<EngineWorld> {
  const engine = await startEngine(faults === undefined ? {} : { faults })
  t.after(() => engine.close())
  return Object.assign(await startTestGateway(t, { upstream: engine.url, ...options }), { engine })
}

/** A gateway that believes nobody's network. */
export const STRANGERS: GatewayOptions = { trust: { networks: ['10.0.0.0/8'] } }

/** Nothing is in the journal, and the engine has seen nothing. */
export async function assertUnserved(world: EngineWorld): Promise<void> {
  assert.deepEqual(await world.entries(), [])
  assert.deepEqual(world.engine.seen, [])
}
