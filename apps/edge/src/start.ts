import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Clock, Counter, Histogram, Logger, Meters } from '@ascribe/kit'
import { systemClock } from '@ascribe/kit'
import { DEFAULT_HEADER_PREFIX, openKeyDirectory } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { createAccessTokenVerifier, createKeySet, discoverIssuer } from '@ascribe/identity/jwt'
import type { KeySet } from '@ascribe/identity/jwt'
import { createHttpServer, listenOn, urlOf } from '@ascribe/service'
import { createCallers } from './caller.ts'
import { createDecider } from './decide.ts'
import type { AskedHead, EdgeVerdict } from './decide.ts'
import { identityHeaders } from './identity-reply.ts'
import { refusalReply } from './refusals.ts'
import { createRuleTable } from './rules.ts'
import type { ResourceRule } from './rules.ts'

/** Tokens of an issuer, beside API keys. */
export type EdgeJwt = {
  readonly issuer: string
  readonly audience: string
  /** Of the issuer's keys. Default: what its discovery document says. */
  readonly jwksUrl?: string
  /** Names or paths of claims. Default: user and group are not said. */
  readonly userClaim?: string
  readonly groupClaim?: string
  /** A token without it is refused. Default: none is asked for. */
  readonly scope?: string
}

export type EdgeConfig = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** What is where; none: every place is taken, and no resource is named. */
  readonly rules: readonly ResourceRule[]
  /** Networks of proxies whose `X-Forwarded-Host` and `X-Forwarded-Uri` are believed. */
  readonly forwardedFrom: readonly string[]
  /** Default `X-Saturn-`. */
  readonly headerPrefix?: string
  readonly jwt?: EdgeJwt
}

export type EdgeDeps = {
  /** The policy snapshot; it need not exist yet. */
  readonly policy: string
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  readonly meters: Meters
  readonly clock?: Clock
}

export type Edge = {
  readonly url: string
  /** Why it would refuse every key; `undefined` when it serves. */
  readonly unready: string | undefined
  /** Why tokens of the issuer are not, or soon no longer, taken; `undefined` when all is well. */
  readonly issuerTrouble: string | undefined
  /** Takes no more connections, and lets open requests end for up to `graceMs`. */
  close(options: { readonly graceMs: number }): Promise<void>
}

/** A proxy sends on all of its client's head, which may be as large as its own limit. */
const HEAD_BYTES_MAX = 64 * 1024
const REQUEST_TIMEOUT_MS = 10_000
/** Longer than proxies keep theirs (nginx 60 s, Go 90 s): who closes first must not be us, or a request meets a closed connection. */
const KEEP_ALIVE_MS = 120_000
const CONNECTIONS_MAX = 4096

type Parts = {
  readonly decide: (head: AskedHead) => Promise<EdgeVerdict>
  readonly prefix: string
  readonly isClosing: () => boolean
  readonly logger: Logger
  readonly answers: Counter
  readonly seconds: Histogram
}

/** Starts what proxies ask about each request of a client: may it pass, and whose is it. */
export async function startEdge(config: EdgeConfig, deps: EdgeDeps): Promise<Edge> {
  const { logger, meters, clock = systemClock } = deps
  const rules = createRuleTable(config.rules)
  using held = new DisposableStack()
  const keys = held.use(openKeyDirectory({ path: deps.policy, serverSecret: deps.serverSecret, logger, clock }))
  const issuer = config.jwt === undefined ? undefined : issuerOf(config.jwt, { logger, meters, clock })
  const callerOf = createCallers({ keys, tokens: issuer?.tokens })
  const server = createHttpServer({ headBytesMax: HEAD_BYTES_MAX, requestTimeoutMs: REQUEST_TIMEOUT_MS, keepAliveMs: KEEP_ALIVE_MS })
  // Node would drop what is beyond 2000 fields without a word, and with it what the proxy wrote last.
  server.maxHeadersCount = 0
  server.maxConnections = CONNECTIONS_MAX
  let closing: Promise<void> | undefined
  const parts: Parts = {
    decide: createDecider({ callerOf, rules, forwardedFrom: config.forwardedFrom }),
    prefix: config.headerPrefix ?? DEFAULT_HEADER_PREFIX,
    isClosing: () => closing !== undefined,
    logger,
    answers: meters.counter('ascribe_edge_answers_total', 'Answers to proxies, by status and reason.'),
    seconds: meters.histogram('ascribe_edge_answer_seconds', "From the head of a proxy's request to the answer.", {
      buckets: [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5],
    }),
  }
  const answer = (message: IncomingMessage, response: ServerResponse): void => void answerOne(parts, message, response)
  server.on('request', answer)
  // No body is wanted, whatever it is about.
  server.on('checkContinue', answer)
  server.on('checkExpectation', answer)
  const bound = await listenOn(server, config)
  const owned = held.move()
  return {
    url: urlOf(bound),
    get unready() {
      if (closing !== undefined) return 'it is shutting down'
      return keys.snapshot === undefined ? `there is no policy snapshot at ${deps.policy}: keys cannot be checked` : undefined
    },
    get issuerTrouble() {
      return issuer?.trouble()
    },
    close({ graceMs }) {
      closing ??= stop(server, graceMs).finally(() => owned.dispose())
      return closing
    },
  }
}

function issuerOf(
  jwt: EdgeJwt,
  { logger, meters, clock }: { readonly logger: Logger; readonly meters: Meters; readonly clock: Clock },
): { readonly tokens: NonNullable<Parameters<typeof createCallers>[0]['tokens']>; readonly trouble: () => string | undefined } {
  const { issuer, audience, jwksUrl, userClaim, groupClaim, scope } = jwt
  const keySet: KeySet = createKeySet({
    jwksUrl: jwksUrl ?? (async () => (await discoverIssuer(issuer)).jwks_uri),
    name: issuer,
    logger,
    meters,
    clock,
  })
  return {
    tokens: { verifier: createAccessTokenVerifier({ issuer, audience, keys: keySet, clock }), userClaim, groupClaim, scope },
    trouble: () => (keySet.state.failingSince === undefined ? undefined : `the keys of ${issuer} cannot be fetched`),
  }
}

async function answerOne(parts: Parts, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const begun = performance.now()
  const outcome = await outcomeOf(parts, message)
  const reply = outcome.kind === 'pass' ? undefined : refusalReply(outcome.refusal)
  const status = reply?.status ?? 204
  parts.answers.add(1, { status: String(status), reason: outcome.kind === 'pass' ? 'passed' : outcome.refusal.reason })
  parts.seconds.observe((performance.now() - begun) / 1000)
  const fields: string[] = ['cache-control', 'no-store']
  // What comes after the head is nobody's business here: the connection ends instead of being read on. And who stops says so: else a proxy
  // asks its next question on a connection that is about to be cut.
  if (announcesBody(message) || parts.isClosing()) fields.push('connection', 'close')
  if (outcome.kind === 'pass') fields.push(...outcome.identity)
  for (const [name, value] of Object.entries(reply?.headers ?? {})) fields.push(name, value)
  if (reply !== undefined) fields.push('content-length', String(Buffer.byteLength(reply.body)))
  response.writeHead(status, fields)
  response.end(message.method === 'HEAD' ? undefined : reply?.body)
}

type Outcome = { readonly kind: 'pass'; readonly identity: readonly string[] } | Extract<EdgeVerdict, { kind: 'refused' }>

/** Never rejects: whatever goes wrong on the way to a yes is no yes, and nobody else's trouble. */
async function outcomeOf({ decide, prefix, logger }: Parts, { socket, url = '', rawHeaders }: IncomingMessage): Promise<Outcome> {
  const address = socket.remoteAddress ?? ''
  // An IPv4 address may come mapped into IPv6.
  const peer = address.startsWith('::ffff:') ? address.slice(7) : address
  try {
    const verdict = await decide({ peer, target: url, rawHeaders })
    if (verdict.kind === 'pass') return { kind: 'pass', identity: identityHeaders(verdict, prefix) }
    logger.debug('request refused', { peer, kind: verdict.refusal.kind, reason: verdict.refusal.reason })
    return verdict
  } catch (error) {
    logger.error('request refused: it could not be decided about', { peer, error })
    return { kind: 'refused', refusal: { kind: 'unavailable', reason: 'failed' } }
  }
}

function announcesBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length } = headers
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

async function stop(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await promise
  clearTimeout(timer)
}
