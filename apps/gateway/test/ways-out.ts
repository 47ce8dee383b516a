import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { UsageRecord } from '@ascribe/usage'
import { chunkedHead, rawUpstream, startTestGateway } from './support.ts'
import type { GatewayOptions, RawUpstream, TestGateway } from './support.ts'

// For tests of how a request may end: each way leaves one record.

/** Head of a stream. */
export const HEAD: string = chunkedHead('text/event-stream')

/** A gateway before an upstream whose every byte is the test's. */
export async function startScripted(
  t: TestContext,
  options: GatewayOptions = {},
): Promise<TestGateway & { readonly upstream: RawUpstream }> {
  const upstream = await rawUpstream(t)
  return Object.assign(await startTestGateway(t, { upstream: upstream.url, ...options }), { upstream })
}

/** What every settled record must be: the only one of its intent. */
export async function theRecord(world: TestGateway): Promise<UsageRecord> {
  const record = await world.record()
  const entries = await world.entries()
  assert.deepEqual(
    entries.map((entry) => [entry.kind, entry.eventId]),
    [
      ['intent', record.eventId],
      ['settlement', record.eventId],
    ],
  )
  return record
}

/** How it ended, how its counts are known, and how many tokens were generated. */
export function gist({ outcome, provenance, completionTokens }: UsageRecord): unknown[] {
  return [outcome, provenance, completionTokens]
}

/** All that its meters count. */
export function sum({ meters }: UsageRecord): number {
  return Object.values(meters).reduce((total, each) => total + each, 0)
}
