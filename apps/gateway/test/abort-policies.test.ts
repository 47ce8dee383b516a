import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { AbortPolicy } from '@ascribe/identity'
import type { UsageRecord } from '@ascribe/usage'
import { startControlled } from './controlled.ts'
import type { ControlledGateway } from './controlled.ts'
import { CHAT, EVENTS, LAST_CHUNK, ask, chunk, chunkedHead, fixedReply, jsonChat, rawUpstream, until, watch } from './support.ts'
import type { Wire } from './support.ts'

const JSON_CHAT = { ...CHAT, max_tokens: 1000 }
const STREAM = { ...JSON_CHAT, stream: true }
/** Each request comes on a connection of its own. */
const CLOSE = 'Connection: close\r\n'
const HEAD = Buffer.from(chunkedHead('text/event-stream', CLOSE))
const RUNNING = 'data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":4,"completion_tokens":17}}\n\n'
const BUDGET = { id: 'b', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' } as const
const GRANTED = 10_000_000
const WHOLE = [EVENTS.content('a'), EVENTS.content('b'), EVENTS.finish, EVENTS.usage(9, 700), EVENTS.done]

type World = ControlledGateway & {
  /** The upstream's connection of the latest request. */
  readonly asked: () => Promise<Wire>
}

/** How the record says that it ended, how its counts are known, and how many tokens were generated. */
type Gist = readonly [outcome: string, provenance: string, completionTokens: number | null]

type WayOut = {
  readonly what: string
  readonly go: (t: TestContext, world: World) => Promise<void>
  readonly becomes: Readonly<Record<AbortPolicy, Gist>>
}

/** A client that leaves a stream when the upstream has sent `first`; what is left of it comes afterwards, if somebody still reads. */
function leavesAfter(first: readonly string[], rest: readonly string[]): WayOut['go'] {
  return async (t, world) => {
    const client = await watch(t, world.gateway.port, { body: STREAM })
    const upstream = await world.asked()
    if (first.length > 0) {
      upstream.socket.write(Buffer.concat([HEAD, chunk(first.join(''))]))
      await client.sees('data:')
    }
    await leave(world, client)
    upstream.socket.write(Buffer.concat([...(first.length > 0 ? [] : [HEAD]), chunk(rest.join('')), Buffer.from(LAST_CHUNK)]))
  }
}

async function leave({ gateway }: World, client: Wire): Promise<void> {
  const gone = (): number => Number(/relay_clients_gone_total (\d+)/.exec(gateway.meters.render())?.[1] ?? 0)
  const before = gone()
  client.socket.destroy()
  await until('the gateway has noticed', () => gone() > before)
}

const same = (gist: Gist): WayOut['becomes'] => ({ drain: gist, cancel: gist, estimate: gist })

const WAYS: readonly WayOut[] = [
  {
    what: 'a reply that comes whole',
    async go(_t, { gateway, asked }) {
      const answer = ask(gateway.url, { body: STREAM })
      ;(await asked()).socket.write(Buffer.concat([HEAD, chunk(WHOLE.join('')), Buffer.from(LAST_CHUNK)]))
      assert.equal((await answer).whole, true)
    },
    becomes: same(['completed', 'reported', 700]),
  },
  {
    what: 'a client that leaves before the head',
    go: leavesAfter([], WHOLE),
    becomes: {
      drain: ['aborted', 'reported', 700],
      cancel: ['aborted', 'unknown', null],
      estimate: ['aborted', 'estimated', 0],
    },
  },
  {
    what: 'a client that leaves in mid-stream',
    go: leavesAfter(WHOLE.slice(0, 2), WHOLE.slice(2)),
    becomes: {
      drain: ['aborted', 'reported', 700],
      cancel: ['aborted', 'estimated', 2],
      estimate: ['aborted', 'estimated', 2],
    },
  },
  {
    what: 'a client that leaves a stream with running counts',
    go: leavesAfter([RUNNING], WHOLE.slice(2)),
    becomes: {
      drain: ['aborted', 'reported', 700],
      cancel: ['aborted', 'continuous', 17],
      estimate: ['aborted', 'estimated', 17],
    },
  },
  {
    what: 'a client that leaves between finish_reason and usage',
    go: leavesAfter(WHOLE.slice(0, 3), WHOLE.slice(3)),
    becomes: {
      drain: ['aborted', 'reported', 700],
      cancel: ['aborted', 'estimated', 2],
      estimate: ['aborted', 'estimated', 2],
    },
  },
  {
    what: 'a client that leaves between usage and [DONE]',
    go: leavesAfter(WHOLE.slice(0, 4), WHOLE.slice(4)),
    becomes: same(['aborted', 'reported', 700]),
  },
  {
    what: 'a client that leaves after [DONE]',
    async go(t, world) {
      const client = await watch(t, world.gateway.port, { body: STREAM })
      const upstream = await world.asked()
      upstream.socket.write(Buffer.concat([HEAD, chunk(WHOLE.join(''))]))
      await client.sees('[DONE]')
      client.socket.destroy()
      upstream.socket.write(LAST_CHUNK)
    },
    becomes: same(['completed', 'reported', 700]),
  },
  {
    what: 'a client that leaves inside a JSON body',
    async go(t, world) {
      const client = await watch(t, world.gateway.port, { body: JSON_CHAT })
      const upstream = await world.asked()
      const reply = fixedReply(jsonChat(9, 700), { fields: CLOSE })
      upstream.socket.write(reply.subarray(0, reply.length - 90))
      await client.sees('hello')
      await leave(world, client)
      upstream.socket.write(reply.subarray(reply.length - 90))
    },
    // The five bytes of "hello" are two tokens, as far as anybody can tell.
    becomes: {
      drain: ['aborted', 'reported', 700],
      cancel: ['aborted', 'estimated', 2],
      estimate: ['aborted', 'estimated', 2],
    },
  },
  {
    what: 'an upstream that refuses',
    async go(_t, { gateway, asked }) {
      const answer = ask(gateway.url, { body: JSON_CHAT })
      ;(await asked()).socket.write(fixedReply('{"error":{"message":"no"}}', { status: '500 Oops', fields: CLOSE }))
      assert.equal((await answer).status, 500)
    },
    becomes: same(['upstream_error', 'unknown', null]),
  },
  {
    what: 'an upstream that breaks off before its head',
    async go(_t, { gateway, asked }) {
      const answer = ask(gateway.url, { body: JSON_CHAT })
      ;(await asked()).socket.destroy()
      assert.equal((await answer).status, 502)
    },
    becomes: same(['upstream_error', 'unknown', null]),
  },
  {
    what: 'an upstream that breaks off in mid-stream',
    async go(_t, { gateway, asked }) {
      const answer = ask(gateway.url, { body: STREAM })
      const upstream = await asked()
      upstream.socket.write(Buffer.concat([HEAD, chunk(WHOLE.slice(0, 2).join(''))]), () => upstream.socket.destroy())
      assert.equal((await answer).whole, false)
    },
    becomes: same(['upstream_reset', 'estimated', 2]),
  },
  {
    what: 'a gateway that is stopped, with a stream open',
    async go(t, { gateway, asked }) {
      const client = await watch(t, gateway.port, { body: STREAM })
      ;(await asked()).socket.write(Buffer.concat([HEAD, chunk(WHOLE.slice(0, 2).join(''))]))
      await client.sees('data:')
      await gateway.gateway.close({ graceMs: 0 })
    },
    becomes: same(['interrupted', 'estimated', 2]),
  },
]

const tokensOf = ({ meters }: UsageRecord): number => Object.values(meters).reduce((sum, each) => sum + each, 0)

for (const abort of ['drain', 'cancel', 'estimate'] as const) {
  test(`every way out under "${abort}" leaves exactly one record, says what is known of it, and settles what was held`, async (t) => {
    const seen: Wire[] = []
    const upstream = await rawUpstream(t, (wire) => void seen.push(wire))
    const controlled = await startControlled(t, { upstream: upstream.url, abort })
    const { gateway } = controlled
    await controlled.rule({ budgets: [BUDGET] }, GRANTED)
    let requests = 0
    let tokens = 0
    for (const { what, go, becomes } of WAYS) {
      await t.test(what, async (each) => {
        const asked = async (): Promise<Wire> => {
          await until('the upstream is asked', () => seen.length > requests)
          return seen[requests] as Wire
        }
        await go(each, { ...controlled, asked })
        requests += 1
        const record = (await gateway.records(requests)).at(-1)
        assert.ok(record)
        assert.deepEqual([record.outcome, record.provenance, record.completionTokens], becomes[abort])
        assert.equal(record.promptTokens === null, record.completionTokens === null)
        assert.ok((record.promptTokens ?? 1) > 0, 'a prompt that was read is never zero')
        tokens += tokensOf(record)
      })
    }
    const entries = await gateway.entries()
    assert.deepEqual(
      [entries.filter(({ kind }) => kind === 'intent').length, entries.filter(({ kind }) => kind === 'settlement').length],
      [WAYS.length, WAYS.length],
    )
    assert.equal(new Set(entries.map(({ eventId }) => eventId)).size, WAYS.length)
    assert.equal(Number((await controlled.told())?.used), tokens, 'nothing is held any more but what was used')
  })
}
