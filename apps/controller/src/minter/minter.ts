import {
  ClientRefusedError,
  DISCOVER_PATH,
  ImpersonationError,
  MintThrottledError,
  MintUnavailableError,
  NotAuthorizedError,
  TOKEN_PATH,
  createTurnstile,
  formatMintError,
  formatTokenAnswer,
  parseDiscoverQuestion,
  parseTokenQuestion,
} from '@ascribe/impersonation'
import type {
  AuditSink,
  DiscoverQuestion,
  ImpersonatedToken,
  MintAudit,
  TokenQuestion,
  TokenSource,
  Turnstile,
} from '@ascribe/impersonation'
import type { Logger } from '@ascribe/kit'
import { waitFor } from '@ascribe/kube'
import type { Clocks } from '@ascribe/kube'
import { parseMintKey } from '../authority/binding-notes.ts'
import { AuthorityError, IssuerRefusedError } from '../authority/errors.ts'
import { requireBinding } from '../authority/require-binding.ts'
import { ENVIRONMENT } from '../authority/snapshot.ts'
import type { Snapshot } from '../authority/snapshot.ts'
import type { TokenSources } from '../authority/token-sources.ts'
import type { Account } from '../authority/types.ts'
import type { MinterCaller, MinterReply } from './types.ts'

export type MinterOptions = {
  readonly snapshot: Pick<Snapshot, 'bindings' | 'facts' | 'impersonator'>
  readonly sources: Pick<TokenSources, 'of' | 'ofEnvironment'>
  readonly records: MintRecords
  readonly clocks: Clocks
  readonly logger: Logger
}

/** What the process that holds the client secret does when it is asked. It believes callers nothing but who they are. */
export type MinterService = {
  answer(path: string, body: string, asking: { readonly caller: MinterCaller; readonly signal: AbortSignal }): Promise<MinterReply>
}

/** A caller's cache may be ahead of ours: a binding that it has seen and we have not is waited for. */
const BEHIND_MS_MAX = 2_000
const BEHIND_LOOK_MS = 50
/** Of the four that a source mints at once: whoever asks the API who somebody is must not be in the way of machines. */
const DISCOVERIES_MAX = { insideMax: 2, waitingMax: 100 }

export function createMinterService(options: MinterOptions): MinterService {
  const { snapshot, sources, records, clocks, logger } = options
  const inTurn = createTurns()

  /** By what the bindings here say: neither address, nor client, nor host is the caller's to name. */
  async function accountOf({ owner, region, binding, impersonator }: TokenQuestion, signal: AbortSignal): Promise<Account> {
    const until = clocks.monotonic() + BEHIND_MS_MAX
    while (isBehind(snapshot, binding) && clocks.monotonic() < until) await waitFor(clocks, BEHIND_LOOK_MS, signal)
    const account = requireBinding(snapshot, { bindingGeneration: binding, ownerUuid: owner, region })
    if (account.impersonator !== impersonator)
      throw new NotAuthorizedError('Cannot mint for this owner: its binding names another CloudSigmaImpersonator than the caller')
    return account
  }

  function sourceOf(name: string | undefined): Promise<TokenSource> {
    const found = name === undefined ? undefined : snapshot.impersonator(name)
    if (found !== undefined) return sources.of(found)
    // By the facts, which close the environment once there is any Impersonator.
    if (name === ENVIRONMENT && snapshot.facts().impersonator(name) !== undefined) return Promise.resolve(sources.ofEnvironment())
    throw new NotAuthorizedError(`Cannot mint: there is no CloudSigmaImpersonator ${JSON.stringify(name)}`)
  }

  async function mint(question: TokenQuestion, { caller, signal }: Asking): Promise<string> {
    const { binding: bindingGeneration, rejected, actor } = question
    const account = await accountOf(question, signal)
    const { userUUID: ownerUuid, email: ownerEmail, region } = account
    const source = await sourceOf(account.impersonator)
    const request = { ownerUuid, ownerEmail, region, bindingGeneration, actor: { ...actor, caller: caller.name }, signal }
    const key = { ownerUuid, region, bindingGeneration }
    let token = await source.token(request)
    // The cloud has refused the one that lies here: a newer one, once. Which one it was is said by its hash.
    if (rejected !== undefined && records.find(key)?.tokenId === rejected && source.invalidate(token)) token = await source.token(request)
    // Who was revoked while the token was waited for gets nothing.
    requireBinding(snapshot, request)
    const record = records.find(key)
    logger.info('token handed out', { caller: caller.name, region, tokenId: record?.tokenId })
    return formatTokenAnswer({
      accessToken: textOf(token),
      lifeMs: Math.floor(token.remainingMs()),
      subject: token.subject,
      origin: token.origin,
      record: record ?? { at: clocks.wall(), requestId: undefined, tokenId: undefined, tokenActor: undefined, issuer: '', clientId: '' },
    })
  }

  async function discover({ email, region, impersonator, actor }: DiscoverQuestion, { caller, signal }: Asking): Promise<string> {
    if (snapshot.facts().impersonator(impersonator)?.isDeleting === true)
      throw new NotAuthorizedError(`Cannot look for a user: CloudSigmaImpersonator ${impersonator} is being deleted`)
    const source = await sourceOf(impersonator)
    const order = { ownerEmail: email, region, actor: { ...actor, caller: caller.name }, signal }
    const found = await inTurn(source, signal, () => source.discover(order))
    return JSON.stringify({ owner: found.ownerUuid, email: found.ownerEmail, state: found.state })
  }

  async function route(path: string, body: string, asking: Asking): Promise<string> {
    const { caller } = asking
    if (path === TOKEN_PATH && caller.mayMint) {
      const question = parseTokenQuestion(body)
      if (question !== undefined) return mint(question, asking)
    } else if (path === DISCOVER_PATH && caller.mayDiscover) {
      const question = parseDiscoverQuestion(body)
      if (question !== undefined) return discover(question, asking)
    }
    throw new NotAuthorizedError(`Cannot answer ${caller.name}: it may not ask this here, or not in these words`)
  }

  return {
    async answer(path, body, asking) {
      try {
        return { status: 200, body: await route(path, body, asking) }
      } catch (thrown) {
        const error = errorFor(thrown, { signal: asking.signal, logger })
        if (error instanceof NotAuthorizedError) logger.warn('a caller was refused', { caller: asking.caller.name, error })
        return { status: error instanceof NotAuthorizedError ? 403 : error.retryable ? 503 : 422, body: formatMintError(error) }
      }
    },
  }
}

/** Lets so many discoveries of a source run at a time. */
function createTurns(): <T>(source: TokenSource, signal: AbortSignal, run: () => Promise<T>) => Promise<T> {
  const turnstiles = new WeakMap<TokenSource, Turnstile>()
  return async (source, signal, run) => {
    const leave = await turnstiles.getOrInsertComputed(source, () => createTurnstile(DISCOVERIES_MAX)).enter(signal)
    try {
      return await run()
    } finally {
      leave()
    }
  }
}

type Asking = { readonly caller: MinterCaller; readonly signal: AbortSignal }

function isBehind({ bindings }: Pick<Snapshot, 'bindings'>, binding: string | number): boolean {
  const key = parseMintKey(binding)
  if (key === undefined) return false
  const found = bindings.list().find(({ metadata }) => metadata.uid === key.uid)
  return found === undefined || (found.metadata.generation ?? 0) < key.generation
}

/** The header's value without its scheme: what crosses to the one caller that may have it. */
function textOf(token: ImpersonatedToken): string {
  return token.authorization(token.origin).slice('Bearer '.length)
}

function errorFor(thrown: unknown, { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger }): ImpersonationError {
  if (thrown instanceof ImpersonationError) return thrown
  if (thrown instanceof AuthorityError)
    return thrown.retryAfterMs === undefined
      ? new NotAuthorizedError(thrown.message)
      : new MintThrottledError(thrown.message, { step: 'local', reason: 'queue_full', retryAfterMs: thrown.retryAfterMs })
  if (thrown instanceof IssuerRefusedError)
    return new ClientRefusedError(thrown.message, { step: 'service_token', reason: 'client_refused' })
  if (signal.aborted)
    return new MintThrottledError('Cannot mint a token now: others wait for their turn', {
      step: 'local',
      reason: 'queue_full',
      retryAfterMs: 1_000,
    })
  logger.error('a question could not be answered', { error: thrown })
  return new MintUnavailableError('Cannot mint a token: the minter failed', { step: 'local', reason: 'server_error' })
}

type Key = Pick<MintAudit, 'region' | 'bindingGeneration'> & { readonly ownerUuid: string }

/** The last record of each owner, region and binding, so that a token that is handed out again is named as it was. */
export type MintRecords = {
  readonly sink: AuditSink
  find(key: Key): MintAudit | undefined
}

const RECORDS_MAX = 10_000

export function rememberRecords(sink: AuditSink): MintRecords {
  const records = new Map<string, MintAudit>()
  const keyOf = ({ ownerUuid, region, bindingGeneration }: Key): string => JSON.stringify([ownerUuid, region, bindingGeneration])
  return {
    async sink(record) {
      await sink(record)
      const { act, outcome, ownerUuid } = record
      if (act !== 'mint' || outcome !== 'minted' || ownerUuid === undefined) return
      const key = keyOf({ ...record, ownerUuid })
      records.delete(key)
      records.set(key, record)
      const oldest = records.size > RECORDS_MAX ? records.keys().next().value : undefined
      if (oldest !== undefined) records.delete(oldest)
    },
    find: (key) => records.get(keyOf(key)),
  }
}
