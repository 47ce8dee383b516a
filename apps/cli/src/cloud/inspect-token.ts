import { createHash } from 'node:crypto'
import { decodeClaims } from '@ascribe/impersonation'
import { InputError } from '@ascribe/kit'
import { formatInstant } from '@ascribe/units'

/** What a token says of itself; nothing of it that could be used. */
export type TokenFacts = {
  readonly form: 'jwt' | 'opaque'
  readonly state: 'valid' | 'ended' | 'not_valid_yet' | 'unknown'
  /** `ends in 42 s`. */
  readonly in_words?: string
  readonly algorithm?: string
  readonly key_id?: string
  readonly type?: string
  readonly issuer?: string
  readonly subject?: string
  readonly client?: string
  readonly audience?: readonly string[]
  readonly scope?: string
  readonly permissions?: readonly string[]
  /** Who acts, where the token says so. */
  readonly actor?: string
  readonly issued_at?: string
  readonly ends_at?: string
  readonly life_seconds?: number
  /** As audit records name it: SHA-256 of its `jti`, or of itself. */
  readonly token_id: string
  readonly length: number
}

/** RFC 6750, section 2.1. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
/** A token from a machine whose clock is a little ahead is no fault. */
const AHEAD_MS = 2000
/** The end of the year 9999. */
const INSTANT_MS_MAX = 253_402_300_799_999

/** Reads a token, `Bearer TOKEN`, or the answer of a token endpoint. @throws {InputError} Says nothing of what was read. */
export function inspectToken(text: string, now: number): TokenFacts {
  const token = tokenIn(text)
  const claims = decodeClaims(token)
  const digest = (value: string): string => createHash('sha256').update(value).digest('hex')
  const named = { token_id: digest(claims?.jti ?? token), length: token.length }
  if (claims === undefined) return { form: 'opaque', state: 'unknown', ...named }
  const { iss, sub, azp, aud, scope, permissions, actor, iat, exp } = claims
  const [issuedAt, endsAt] = [iat, exp].map(instantOf)
  return {
    form: 'jwt',
    ...stateOf({ issuedAt, endsAt, now }),
    ...headerOf(token),
    ...defined({
      issuer: iss,
      subject: sub,
      client: azp,
      audience: aud,
      scope,
      permissions,
      actor,
      issued_at: issuedAt === undefined ? undefined : formatInstant(Math.trunc(issuedAt)),
      ends_at: endsAt === undefined ? undefined : formatInstant(Math.trunc(endsAt)),
      life_seconds: issuedAt === undefined || endsAt === undefined ? undefined : (endsAt - issuedAt) / 1000,
    }),
    ...named,
  }
}

/** Milliseconds; `undefined` for what is no time of ours, such as the year 30,000: what a token says need not make sense. */
function instantOf(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds * 1000 > INSTANT_MS_MAX ? undefined : seconds * 1000
}

function tokenIn(text: string): string {
  const trimmed = text.trim()
  const token = (trimmed.startsWith('{') ? accessTokenIn(trimmed) : trimmed).replace(/^(authorization:\s*)?bearer\s+/i, '')
  if (token === '') throw new InputError('Cannot inspect a token: there is none', { hint: 'Give it on standard input, or name a file.' })
  if (!BEARER_TOKEN.test(token)) throw new InputError('Cannot inspect the token: it holds what no bearer token can (RFC 6750, section 2.1)')
  return token
}

function accessTokenIn(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && 'access_token' in parsed && typeof parsed.access_token === 'string')
      return parsed.access_token
  } catch {
    // Its parser's message would quote what was read.
  }
  throw new InputError('Cannot inspect the token: this is JSON without an access_token')
}

type Times = { readonly issuedAt: number | undefined; readonly endsAt: number | undefined; readonly now: number }

function stateOf({ issuedAt, endsAt, now }: Times): Pick<TokenFacts, 'state' | 'in_words'> {
  if (issuedAt !== undefined && issuedAt > now + AHEAD_MS)
    return { state: 'not_valid_yet', in_words: `issued ${span(issuedAt - now)} in the future: a clock is off` }
  if (endsAt === undefined) return { state: 'unknown' }
  return endsAt <= now
    ? { state: 'ended', in_words: `ended ${span(now - endsAt)} ago` }
    : { state: 'valid', in_words: `ends in ${span(endsAt - now)}` }
}

function span(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Header fields that are names, and nothing else. */
function headerOf(token: string): Pick<TokenFacts, 'algorithm' | 'key_id' | 'type'> {
  const parsed: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString())
  const word = (name: string): string | undefined => {
    const value: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined
    return typeof value === 'string' && /^[\w.+/=:-]{1,128}$/.test(value) ? value : undefined
  }
  return defined({ algorithm: word('alg'), key_id: word('kid'), type: word('typ') })
}

type Defined<Fields> = { readonly [Key in keyof Fields]?: Exclude<Fields[Key], undefined> }

function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>
}
