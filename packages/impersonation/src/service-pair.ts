import type { ClientSecret } from './client-secret.ts'
import type { TokenClock } from './clock.ts'
import { ClientRefusedError, ImpersonationError } from './errors.ts'
import { concernOf, createDenials } from './denials.ts'
import type { Denials } from './denials.ts'
import { startFlight } from './flight.ts'
import type { Flight } from './flight.ts'
import type { MintSteps } from './mint-steps.ts'
import type { PeerCalls } from './peer-calls.ts'
import type { SealedText } from './sealed-text.ts'
import type { SecretKeeper } from './secret-keeper.ts'
import type { TokenResponse } from './token-response.ts'

/** A service-account token and the RPT that was made from it: always of one generation, with time left for two more hops. */
export type ServicePair = {
  readonly serviceToken: SealedText
  readonly rpt: SealedText
  readonly generation: number
  /** Of the secret that they came from. */
  readonly secretVersion: string
}

/** The two tokens that all owners share: super-tokens, never handed out (H-24). One flight for everybody. */
export type ServicePairs = {
  /** Joins the flight for a pair, or gives the one there is. */
  get(signal: AbortSignal): Promise<ServicePair>
  /** Drops this pair, and not the one that has taken its place meanwhile. */
  drop(generation: number): void
  /** Drops whatever there is, and what was remembered of refusals: the secret is another one. */
  clear(): void
  /** Zeroes what there is: nobody uses it any more. */
  close(): void
}

export type ServicePairsOptions = {
  readonly steps: MintSteps
  readonly calls: PeerCalls
  readonly secrets: SecretKeeper
  readonly host: string
  readonly clock: TokenClock
  readonly random: () => number
}

/** Two hops of 5 and 15 s may still be to come when a pair is taken; of a short life no more than this share is held back for them. */
const RESERVE_MS = 20_000
const RESERVE_SHARE = 0.4
/** The two steps, each with its one more try. */
const FLIGHT_MS = 15_000
/** An operator who has mended the client does not want to wait ten minutes. */
const DENIAL_MS_MAX = 120_000
/** Longer than a flight that took a pair may last. */
const ZERO_AFTER_MS = 60_000
const CLIENT = 'client'

type Held = { readonly response: TokenResponse; readonly usableUntil: number }
type Rpt = Held & { readonly of: number }
type Service = Held & { readonly generation: number; readonly secretVersion: string }

export function createServicePairs(options: ServicePairsOptions): ServicePairs {
  return new SharedPairs(options)
}

class SharedPairs implements ServicePairs {
  readonly #options: ServicePairsOptions
  readonly #denials: Denials
  #generations = 0
  #service: Service | undefined
  #rpt: Rpt | undefined
  #flight: Flight<ServicePair> | undefined
  /** What is to be zeroed, and does not wait for its time when all is closed. */
  readonly #zeroings = new Set<{ readonly run: () => void; readonly cancel: () => void }>()

  constructor(options: ServicePairsOptions) {
    const { clock, random } = options
    this.#options = options
    this.#denials = createDenials({ clock, random, max: 1, lastMs: DENIAL_MS_MAX })
  }

  get(signal: AbortSignal): Promise<ServicePair> {
    const there = this.#ready()
    if (there !== undefined) return Promise.resolve(there)
    const denial = this.#denials.find(CLIENT)
    if (denial !== undefined) return Promise.reject(denial)
    const flight = this.#flight?.isEnding === false ? this.#flight : this.#launch()
    return flight.join(signal)
  }

  drop(generation: number): void {
    if (this.#service?.generation === generation) this.#let(undefined, undefined)
  }

  clear(): void {
    this.#denials.clear()
    this.#let(undefined, undefined)
    // It ends for those who wait for it; who comes now wants a pair of the new secret.
    this.#flight = undefined
  }

  close(): void {
    this.#let(undefined, undefined)
    for (const zeroing of this.#zeroings) {
      zeroing.cancel()
      zeroing.run()
    }
  }

  /** Holds these two from now on. Those before are zeroed once no request can be using them any more. */
  #let(service: Service | undefined, rpt: Rpt | undefined): void {
    const before = [this.#service, this.#rpt].filter((held) => held !== undefined).filter((held) => held !== service && held !== rpt)
    this.#service = service
    this.#rpt = rpt
    if (before.length === 0) return
    const run = (): void => {
      this.#zeroings.delete(zeroing)
      for (const held of before) held.response.token.destroy()
    }
    const zeroing = { run, cancel: this.#options.clock.schedule(ZERO_AFTER_MS, run, { isBackground: true }) }
    this.#zeroings.add(zeroing)
  }

  #ready(): ServicePair | undefined {
    const now = this.#options.clock.monotonicMs()
    const service = this.#service
    const rpt = this.#rpt
    if (service === undefined || rpt?.of !== service.generation) return undefined
    if (service.usableUntil <= now || rpt.usableUntil <= now) return undefined
    const { generation, secretVersion } = service
    return { serviceToken: service.response.token, rpt: rpt.response.token, generation, secretVersion }
  }

  #launch(): Flight<ServicePair> {
    const work = async (signal: AbortSignal): Promise<ServicePair> => {
      try {
        const pair = await this.#renew(signal, () => (this.#flight ??= flight))
        this.#denials.forget(CLIENT)
        return pair
      } catch (cause) {
        // What a rotated secret was refused for says nothing about the new one.
        const isCurrent = this.#flight === flight
        if (isCurrent && cause instanceof ImpersonationError && concernOf(cause) === 'client') this.#denials.remember(CLIENT, cause)
        throw cause
      } finally {
        if (this.#flight === flight) this.#flight = undefined
      }
    }
    const flight = startFlight(work, { clock: this.#options.clock, deadlineMs: FLIGHT_MS })
    this.#flight = flight
    return flight
  }

  /** Both steps, or the second alone. When Keycloak does not believe the first's token any more, once again from the start. */
  async #renew(signal: AbortSignal, stay: () => void): Promise<ServicePair> {
    const { calls, steps, host, secrets } = this.#options
    for (let attempt = 0; ; attempt += 1) {
      const service = await this.#serviceToken(signal, stay)
      const { response, generation, secretVersion } = service
      // What was rotated away meanwhile is good for those who wait for this very flight, and for nobody else.
      if (secretVersion === secrets.current?.version && service !== this.#service) this.#let(service, undefined)
      try {
        const send = (own: AbortSignal): Promise<TokenResponse> => steps.rpt(response.token, own)
        const rpt = await this.#held(() => calls.run({ step: 'rpt', host, signal }, send))
        if (this.#service === service) this.#let(service, { ...rpt, of: generation })
        return { serviceToken: response.token, rpt: rpt.response.token, generation, secretVersion }
      } catch (cause) {
        const isStale = cause instanceof ClientRefusedError && cause.reason === 'bearer_refused'
        if (isStale) this.drop(generation)
        if (!isStale || attempt > 0) throw cause
      }
    }
  }

  /** `stay` makes the flight the one to join again: it may be itself that finds another secret, and then it is of that one. */
  async #serviceToken(signal: AbortSignal, stay: () => void): Promise<Service> {
    const { clock, secrets } = this.#options
    if (this.#service !== undefined && this.#service.usableUntil > clock.monotonicMs()) return this.#service
    const secret = await secrets.read()
    stay()
    try {
      return await this.#request(secret, signal)
    } catch (cause) {
      // Rotated a moment ago: the file may hold the new one by now.
      if (!(cause instanceof ClientRefusedError) || cause.reason !== 'client_refused') throw cause
      const again = await secrets.read()
      if (again.version === secret.version) throw cause
      stay()
      return this.#request(again, signal)
    }
  }

  async #request(secret: ClientSecret, signal: AbortSignal): Promise<Service> {
    const { calls, steps, host } = this.#options
    const send = (own: AbortSignal): Promise<TokenResponse> => steps.serviceToken(secret.value, own)
    const held = await this.#held(() => calls.run({ step: 'service_token', host, signal }, send))
    this.#generations += 1
    return { ...held, generation: this.#generations, secretVersion: secret.version }
  }

  async #held(get: () => Promise<TokenResponse>): Promise<Held> {
    // Counted from the sending: the token cannot be older than that.
    const sentAtMs = this.#options.clock.monotonicMs()
    const response = await get()
    return { response, usableUntil: sentAtMs + response.lifeMs - Math.min(RESERVE_MS, RESERVE_SHARE * response.lifeMs) }
  }
}

/** Whether a failure of step 3 says that RPT or service-account token are not believed any more. */
export function isPairRefused(cause: unknown): cause is ClientRefusedError {
  return cause instanceof ClientRefusedError && cause.step === 'impersonate' && cause.reason === 'bearer_refused'
}
