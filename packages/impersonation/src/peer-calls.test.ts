import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock, settle } from '../test/support/fake-clock.ts'
import { createCountingMeters } from '../test/support/world.ts'
import { ClientRefusedError, MintUnavailableError } from './errors.ts'
import type { Reason } from './errors.ts'
import { createInstruments } from './instruments.ts'
import { createPeerCalls } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'

const call = { step: 'rpt', host: 'oauth.example', signal: new AbortController().signal } as const
const down = (reason: Reason, retryAfterMs?: number): Error => new MintUnavailableError('down', { step: 'rpt', reason, retryAfterMs })

type Calls = {
  readonly calls: PeerCalls
  readonly clock: ReturnType<typeof createFakeClock>
  readonly meters: ReturnType<typeof createCountingMeters>
  readonly ask: (error?: Error) => Promise<unknown>
  readonly sent: () => number
}

function peer(): Calls {
  const clock = createFakeClock()
  const meters = createCountingMeters()
  const calls = createPeerCalls({ clock, random: () => 0.5, instruments: createInstruments(meters) })
  let sent = 0
  return {
    calls,
    clock,
    meters,
    sent: () => sent,
    async ask(error) {
      const asked = calls.run(call, async () => {
        sent += 1
        if (error !== undefined) throw error
        return 'ok'
      })
      asked.catch(() => {})
      await settle()
      clock.advance(500)
      return asked.catch((cause: unknown) => cause)
    },
  }
}

test('createPeerCalls() tries once more after a blip, and not after anything that says how long to wait, or that took its time', async () => {
  for (const [error, expected] of [
    [down('network'), 2],
    [down('server_error'), 2],
    [down('server_error', 1_000), 1],
    [down('timeout'), 1],
    [down('rate_limited'), 1],
    [new ClientRefusedError('no', { step: 'rpt', reason: 'client_refused' }), 1],
  ] as const) {
    const { ask, sent } = peer()
    assert.equal(await ask(error), error)
    assert.equal(sent(), expected, error.message)
  }
})

test('createPeerCalls() says what opened the circuit, not that it is open, to who opened it', async () => {
  const { ask, sent } = peer()
  const errors: unknown[] = []
  for (let round = 0; round < 4; round += 1) errors.push(await ask(down('network')))
  assert.equal(sent(), 5)
  assert.deepEqual(
    errors.map((error) => (error as { reason?: unknown }).reason),
    ['network', 'network', 'network', 'circuit_open'],
  )
})

test('createPeerCalls() counts each request by step and outcome', async () => {
  const { ask, meters } = peer()
  await ask()
  await ask(down('timeout'))
  assert.equal(meters.value('ascribe_token_requests_total{step=rpt,outcome=ok}'), 1)
  assert.equal(meters.value('ascribe_token_requests_total{step=rpt,outcome=timeout}'), 1)
  assert.equal(meters.value('ascribe_token_request_duration_seconds_count{step=rpt}'), 2)
})

test('createPeerCalls() takes refusals for a sign of life', async () => {
  const { ask, calls } = peer()
  for (let round = 0; round < 10; round += 1) await ask(new ClientRefusedError('no', { step: 'rpt', reason: 'bearer_refused' }))
  assert.equal(calls.breakers()[0]?.state, 'closed')
})
