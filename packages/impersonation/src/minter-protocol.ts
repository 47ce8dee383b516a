import {
  AnswerInvalidError,
  AuditFailedError,
  ClientRefusedError,
  ClientSecretError,
  ImpersonationInputError,
  MintThrottledError,
  MintUnavailableError,
  NotAuthorizedError,
  OwnerRefusedError,
  RegionUnknownError,
  SubjectMismatchError,
} from './errors.ts'
import type { ImpersonationError, ImpersonationErrorFields, MintStep, Reason } from './errors.ts'
import type { Actor, MintAudit } from './mint-audit.ts'
import { isUuid } from './owner.ts'
import { parseJson, recordOf } from './token-claims.ts'

// What crosses between a process that holds the client secret and one that does not: JSON over HTTP. A caller says who and where; by whose
// word, and with which address, is for the minter to know.

export const TOKEN_PATH = '/v1/token'
export const DISCOVER_PATH = '/v1/discover'

export type TokenQuestion = {
  readonly owner: string
  readonly region: string
  /** Of the binding that the caller goes by. */
  readonly binding: string | number
  /** Whose region table the caller looked into; the binding's own word counts. */
  readonly impersonator: string
  readonly actor: Actor
  /** `token_id` of a token that the cloud has refused: it is dropped if it is still the one in its place. */
  readonly rejected?: string
}

export type DiscoverQuestion = {
  readonly email: string
  readonly region: string
  readonly impersonator: string
  readonly actor: Actor
}

/** What a caller gets. `record` is what stands in the minter's trail. */
export type TokenAnswer = {
  readonly accessToken: string
  /** From the sending of the answer on, in milliseconds. */
  readonly lifeMs: number
  readonly subject: string
  readonly origin: string
  readonly record: MintRecord
}
export type MintRecord = Pick<MintAudit, 'at' | 'requestId' | 'tokenId' | 'tokenActor' | 'issuer' | 'clientId'>

const TEXT_LENGTH_MAX = 512
const MESSAGE_LENGTH_MAX = 2_000
const ACTOR_FIELDS_MAX = 16

/** `undefined` for what is none. */
export function parseTokenQuestion(text: string): TokenQuestion | undefined {
  const said = recordOf(parseJson(text))
  if (said === undefined) return undefined
  const [owner, region, impersonator] = [textOf(said['owner']), textOf(said['region']), textOf(said['impersonator'])]
  const { binding } = said
  const actor = actorOf(said['actor'])
  const isBinding = typeof binding === 'number' ? Number.isFinite(binding) : textOf(binding) !== undefined
  if (owner === undefined || region === undefined || impersonator === undefined || actor === undefined || !isBinding) return undefined
  const rejected = textOf(said['rejected'])
  return { owner, region, impersonator, actor, binding: binding as string | number, ...(rejected !== undefined && { rejected }) }
}

/** `undefined` for what is none. */
export function parseDiscoverQuestion(text: string): DiscoverQuestion | undefined {
  const said = recordOf(parseJson(text))
  if (said === undefined) return undefined
  const [email, region, impersonator] = [textOf(said['email']), textOf(said['region']), textOf(said['impersonator'])]
  const actor = actorOf(said['actor'])
  if (email === undefined || region === undefined || impersonator === undefined || actor === undefined) return undefined
  return { email, region, impersonator, actor }
}

function actorOf(value: unknown): Actor | undefined {
  const fields = recordOf(value)
  if (fields === undefined) return undefined
  const entries = Object.entries(fields)
  const isPlain = entries.length <= ACTOR_FIELDS_MAX && entries.every(([, each]) => textOf(each) !== undefined)
  return isPlain ? (Object.fromEntries(entries) as Actor) : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= TEXT_LENGTH_MAX ? value : undefined
}

/** The answer as it goes out; the only place where its token is text. */
export function formatTokenAnswer({ accessToken, lifeMs, subject, origin, record }: TokenAnswer): string {
  return JSON.stringify({ access_token: accessToken, life_ms: lifeMs, subject, origin, record })
}

/** @throws {AnswerInvalidError} that repeats nothing of it */
export function parseTokenAnswer(body: string): TokenAnswer {
  const said = recordOf(parseJson(body))
  const record = recordOf(said?.['record'])
  const [accessToken, lifeMs, subject, origin] = [said?.['access_token'], said?.['life_ms'], said?.['subject'], said?.['origin']]
  if (typeof accessToken !== 'string' || accessToken === '' || typeof lifeMs !== 'number' || !(lifeMs > 0)) throw invalid()
  if (typeof subject !== 'string' || typeof origin !== 'string' || typeof record?.['at'] !== 'number') throw invalid()
  return {
    accessToken,
    lifeMs,
    subject,
    origin,
    record: {
      at: record['at'],
      requestId: textOf(record['requestId']),
      tokenId: textOf(record['tokenId']),
      tokenActor: textOf(record['tokenActor']),
      issuer: textOf(record['issuer']) ?? '',
      clientId: textOf(record['clientId']) ?? '',
    },
  }
}

/** @throws {AnswerInvalidError} */
export function parseDiscovered(body: string): { readonly ownerUuid: string; readonly ownerEmail: string; readonly state?: string } {
  const said = recordOf(parseJson(body))
  const [ownerUuid, ownerEmail, state] = [textOf(said?.['owner']), textOf(said?.['email']), textOf(said?.['state'])]
  if (ownerUuid === undefined || !isUuid(ownerUuid) || ownerEmail === undefined) throw invalid()
  return { ownerUuid, ownerEmail, ...(state !== undefined && { state }) }
}

function invalid(): AnswerInvalidError {
  return new AnswerInvalidError('Cannot get a token of the minter: its answer is none', { step: 'minter', reason: 'answer_invalid' })
}

type Make = (message: string, fields: ImpersonationErrorFields) => ImpersonationError

const KINDS: Readonly<Record<string, Make>> = {
  IMPERSONATION_INPUT_INVALID: (message) => new ImpersonationInputError(message),
  IMPERSONATION_NOT_AUTHORIZED: (message) => new NotAuthorizedError(message),
  IMPERSONATION_REGION_UNKNOWN: (message) => new RegionUnknownError(message),
  IMPERSONATION_SECRET_UNREADABLE: (message) => new ClientSecretError(message),
  IMPERSONATION_CLIENT_REFUSED: (message, fields) => new ClientRefusedError(message, fields),
  IMPERSONATION_OWNER_REFUSED: (message, fields) => new OwnerRefusedError(message, fields),
  IMPERSONATION_SUBJECT_MISMATCH: (message, fields) => new SubjectMismatchError(message, fields),
  IMPERSONATION_UNAVAILABLE: (message, fields) => new MintUnavailableError(message, fields),
  IMPERSONATION_ANSWER_INVALID: (message, fields) => new AnswerInvalidError(message, fields),
  IMPERSONATION_THROTTLED: (message, fields) => new MintThrottledError(message, fields),
  IMPERSONATION_AUDIT_FAILED: (message) => new AuditFailedError(message, undefined),
}

/** What went wrong, as it crosses: our own words, which hold nothing of a peer's. */
export function formatMintError({ code, message, step, reason, status, retryAfterMs, hint, requestId }: ImpersonationError): string {
  return JSON.stringify({ error: { code, message, step, reason, status, retryAfterMs, hint, requestId } })
}

/** The same error, on the other side; `undefined` when the body tells of none. */
export function parseMintError(body: string): ImpersonationError | undefined {
  const said = recordOf(recordOf(parseJson(body))?.['error'])
  const { code, message, step, reason, status, retryAfterMs } = said ?? {}
  const make = typeof code === 'string' ? KINDS[code] : undefined
  if (make === undefined || typeof message !== 'string' || typeof step !== 'string' || typeof reason !== 'string') return undefined
  return make(message.slice(0, MESSAGE_LENGTH_MAX), {
    step: step as MintStep,
    reason: reason as Reason,
    status: typeof status === 'number' ? status : undefined,
    retryAfterMs: typeof retryAfterMs === 'number' && retryAfterMs >= 0 ? retryAfterMs : undefined,
    hint: textOf(said?.['hint']),
    requestId: textOf(said?.['requestId']),
  })
}
