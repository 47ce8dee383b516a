import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Scheduler } from 'fast-check'
import { ImpersonationError, OwnerRefusedError } from '../src/errors.ts'
import type { ImpersonatedToken } from '../src/impersonated-token.ts'
import { SealedText } from '../src/sealed-text.ts'
import { settle } from './support/fake-clock.ts'
import { down } from './support/failures.ts'
import { createWorld, ownerOf, userOfEmail, uuidOf } from './support/world.ts'
import type { World } from './support/world.ts'

// The token source against a short model (SPEC.md), with a clock and an order of events that fast-check chooses. The model knows what
// each token was minted for and when it was asked for; it does not know how a cache works.

const OWNERS = 2
const REGIONS = ['zrh', 'sjc'] as const

type Weather = 'fine' | 'down' | 'refusing' | 'wrong'
type Command =
  | { readonly kind: 'ask'; readonly owner: number; readonly region: number; readonly generation: number; readonly leaves: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'weather'; readonly weather: Weather }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'rotate' }
  | { readonly kind: 'forget'; readonly owner: number }
  | { readonly kind: 'land' }
  | { readonly kind: 'sweep' }

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      owner: fc.nat(OWNERS - 1),
      region: fc.constantFrom(0, 0, 0, 1),
      generation: fc.constantFrom(1, 1, 1, 2),
      leaves: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(1_000, 12_000, 46_000, 58_000, 241_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.constantFrom(-3_600_000, 3_600_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      weather: fc.constantFrom<Weather>('fine', 'fine', 'fine', 'down', 'refusing', 'wrong'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rejected' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rotate' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), owner: fc.nat(OWNERS - 1) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('land' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
)

/** What the fake cloud knows of a token that it gave: the truth that handed-out tokens are judged by. */
type Truth = { readonly email: string; readonly origin: string; readonly askedAt: number; readonly lifeMs: number }

class Model {
  readonly world: World
  readonly truths = new Map<string, Truth>()
  readonly handed: ImpersonatedToken[] = []
  readonly asks: Promise<unknown>[] = []
  weather: Weather = 'fine'
  secret = 1
  readonly #scheduler: Scheduler
  #serial = 0

  constructor(scheduler: Scheduler, lifeMs: number) {
    this.#scheduler = scheduler
    this.world = createWorld({
      secret: async () => ({ value: new SealedText(`secret-${this.secret}`), version: String(this.secret) }),
      random: () => 0.3,
    })
    const { steps, clock } = this.world
    steps.before = (step, signal) => this.#travel(step, signal)
    steps.lifeMs = { service_token: lifeMs * 2, rpt: lifeMs * 2, impersonate: lifeMs }
    steps.impersonate = async ({ endpoint, ownerEmail }, signal) => {
      const askedAt = clock.monotonicMs()
      steps.calls.push({ step: 'impersonate', ownerEmail, text: '' })
      await this.#travel('impersonate', signal)
      const text = `imp-${(this.#serial += 1)}`
      const email = this.weather === 'wrong' ? 'user77@example.com' : ownerEmail
      this.truths.set(text, { email, origin: endpoint.origin, askedAt, lifeMs })
      return { token: new SealedText(text), lifeMs, lifeFrom: 'expires_in', claims: undefined }
    }
    steps.profile = async ({ token }, signal) => {
      const { email } = this.truths.get(token.reveal()) ?? assert.fail('a token that nobody gave')
      await this.#travel('profile', signal)
      return { uuid: userOfEmail(email), email, state: 'REGULAR', requestId: undefined }
    }
  }

  /** A call takes as long as the scheduler likes, and ends as the weather is when it arrives. */
  async #travel(step: 'service_token' | 'rpt' | 'impersonate' | 'profile', signal: AbortSignal): Promise<void> {
    const arrival = this.#scheduler.schedule(Promise.resolve(), step)
    const cut = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
    cut.catch(() => {})
    await Promise.race([arrival, cut])
    if (this.weather === 'down') throw down(step)
    if (this.weather === 'refusing' && step === 'impersonate') throw new OwnerRefusedError('no', { step, reason: 'user_unknown' })
  }

  ask({ owner, region, generation, leaves }: Extract<Command, { kind: 'ask' }>): void {
    const { source } = this.world
    const leaving = new AbortController()
    const request = ownerOf(owner, { region: REGIONS[region] ?? 'zrh', bindingGeneration: generation, signal: leaving.signal })
    const asked = source.token(request).then(
      (token) => this.#judge(token, owner, request.region),
      (error: unknown) => {
        if (!leaving.signal.aborted) assert.equal(typeof (error as { reason?: unknown }).reason, 'string', String(error))
      },
    )
    this.asks.push(asked)
    if (leaves) leaving.abort(new Error('left'))
  }

  /** T1, T2, R-1: right now, for this owner, at this host. */
  #judge(token: ImpersonatedToken, owner: number, region: string): void {
    const { clock } = this.world
    this.handed.push(token)
    if (token.subject !== uuidOf(owner) || token.region !== region) assert.fail(`${token.subject} for ${owner}`)
    let header: string
    try {
      header = token.authorization(token.origin)
    } catch (error) {
      // Dropped between the answer and this line, by a command of ours; never expired.
      assert.equal((error as { reason?: unknown }).reason, 'token_dropped')
      return
    }
    const truth = this.truths.get(header.replace('Bearer ', '')) ?? assert.fail('a token that nobody gave')
    assert.equal(userOfEmail(truth.email), uuidOf(owner))
    assert.equal(truth.origin, `https://direct.${region}.cloudsigma.com`)
    assert.ok(clock.monotonicMs() < truth.askedAt + truth.lifeMs, 'an expired token')
  }

  async run(command: Command): Promise<void> {
    const { source, clock } = this.world
    if (command.kind === 'ask') this.ask(command)
    else if (command.kind === 'advance') clock.advance(command.ms)
    else if (command.kind === 'jump') clock.jumpWall(command.ms)
    else if (command.kind === 'weather') this.weather = command.weather
    else if (command.kind === 'rotate') this.secret += 1
    else if (command.kind === 'sweep') source.sweep()
    else if (command.kind === 'forget') source.forget(uuidOf(command.owner))
    else if (command.kind === 'rejected') {
      const last = this.handed.at(-1)
      if (last !== undefined) source.invalidate(last)
    } else if (this.#scheduler.count() > 0) await this.#scheduler.waitNext(1)
    await settle()
  }

  /** Everything lands, and the source has nothing under way that nobody knows of. */
  async end(): Promise<void> {
    const { source, clock } = this.world
    for (let round = 0; round < 200 && (this.#scheduler.count() > 0 || source.inspect().flights > 0); round += 1) {
      await this.#scheduler.waitIdle()
      clock.advance(1_000)
      await settle()
    }
    await Promise.all(this.asks)
    assert.deepEqual([source.inspect().flights, source.inspect().waiters], [0, 0])
  }
}

test(
  'token() keeps its promises in any order of events, whatever the clock, the peers and the callers do',
  { timeout: 120_000 },
  async () => {
    const rejected: unknown[] = []
    const onRejection = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', onRejection)
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.constantFrom(60_000, 60_000, 300_000, 3_600_000),
          fc.array(anyCommand, { minLength: 10, maxLength: 80, size: 'max' }),
          async (scheduler, lifeMs, commands) => {
            const model = new Model(scheduler, lifeMs)
            for (const command of commands) await model.run(command)
            await model.end()
            // O3: when the weather is fine again and every rest is over, an owner is served.
            model.weather = 'fine'
            model.world.clock.advance(700_000)
            model.ask({ kind: 'ask', owner: 0, region: 0, generation: 3, leaves: false })
            const before = model.handed.length
            await settle()
            await model.end()
            assert.equal(model.handed.length, before + 1)
            model.world.source[Symbol.dispose]()
          },
        ),
        { numRuns: 250 },
      )
    } finally {
      process.off('unhandledRejection', onRejection)
    }
    assert.deepEqual(rejected, [])
  },
)

test(
  'token() never has two mints under way for one key, nor two flights for the pair, whatever lands in what order (T3)',
  { timeout: 120_000 },
  async () => {
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.nat(1) },
      { weight: 3, arbitrary: fc.constant('land' as const) },
      { weight: 1, arbitrary: fc.constantFrom(1_000, 26_000, 241_000) },
    )
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(event, { minLength: 10, maxLength: 80, size: 'max' }), async (scheduler, script) => {
        const { steps, source, clock } = createWorld()
        const underWay = new Set<string>()
        const violations: string[] = []
        steps.before = async (step, signal) => {
          const key = step === 'impersonate' ? (steps.calls.at(-1)?.ownerEmail ?? '') : step
          // Not thrown here: who renews in the background would keep it to itself.
          if (step !== 'profile' && underWay.has(key)) violations.push(`two flights for ${key}`)
          underWay.add(key)
          const { promise: cut, reject } = Promise.withResolvers<never>()
          signal.addEventListener('abort', () => reject(signal.reason as Error))
          // As with a socket that is destroyed: what was cut off is not under way any more.
          await Promise.race([scheduler.schedule(Promise.resolve(), step), cut]).finally(() => underWay.delete(key))
        }
        const errors: unknown[] = []
        const asks: Promise<unknown>[] = []
        for (const each of script) {
          if (typeof each === 'number' && each < OWNERS)
            asks.push(source.token(ownerOf(each)).catch((error: unknown) => errors.push(error)))
          else if (typeof each === 'number') clock.advance(each)
          else if (scheduler.count() > 0) await scheduler.waitNext(1)
          await settle()
        }
        while (scheduler.count() > 0 || source.inspect().flights > 0) {
          await scheduler.waitIdle()
          clock.advance(1_000)
          await settle()
        }
        await Promise.all(asks)
        assert.deepEqual(violations, [])
        for (const error of errors) assert.ok(error instanceof ImpersonationError && error.retryable, String(error))
      }),
      { numRuns: 150 },
    )
  },
)
