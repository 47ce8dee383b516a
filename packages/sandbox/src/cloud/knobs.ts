import { InputError, nearest } from '@ascribe/kit'

/** Everything about the sandbox cloud that can be turned, at the start and while it runs. {@link KNOBS} says what each does. */
export type Knobs = {
  readonly listLagMs: number
  readonly defaultLimit: number
  readonly limitMax: number
  readonly wrongHostIdentity: boolean
  readonly tokenValidAt: 'minting-host' | 'direct-hosts'
  readonly acceptedSubjects: 'email' | 'email-or-uuid'
  readonly impersonatableUsers: readonly string[]
  readonly impScopes: readonly string[]
  readonly directlessRegions: readonly string[]
  readonly saTtlS: number
  readonly rptTtlS: number
  readonly impTtlS: number
  readonly impForm: 'jwt' | 'opaque'
  readonly actInToken: boolean
  readonly saExpiresIn: ExpiresIn
  readonly rptExpiresIn: ExpiresIn
  readonly impExpiresIn: ExpiresIn
  readonly impersonateErrorShape: ErrorShape
  readonly impersonateUnknownStatus: number
  readonly impersonateGives: string
  readonly revocationEndpoint: boolean
  readonly oauthClockSkewMs: number
  readonly oauthState: 'up' | 'starting' | 'overloaded'
  readonly errorShape: ErrorShape
  readonly floatNumbers: boolean
  readonly nullFields: boolean
  readonly unknownFields: boolean
  readonly uuidContains: string
  readonly latencyMs: number
  readonly latencyJitterMs: number
  readonly rateLimitPerMinute: number
  readonly deleteLimitPerMinute: number
  readonly driveCreateMs: number
  readonly cloneMs: number
  readonly cloneEndsAs: 'unmounted' | 'unavailable'
  readonly resizeMs: number
  readonly startMs: number
  readonly startOutcome: 'runs' | 'payment' | 'capacity' | 'concurrency-once' | 'stuck'
  readonly emptyActionBody: 'refused' | 'accepted'
  readonly stopMs: number
  readonly shutdownMs: number
  readonly guestIgnoresShutdown: boolean
  readonly deleteMs: number
  readonly deleteRefused: boolean
  readonly deleteLeavesDrives: boolean
  readonly runningPut: 'ignored' | 'applied'
  readonly actInLogs: boolean
  readonly sharedPayer: 'owner' | 'user'
  readonly enforceFunds: boolean
}

export type ExpiresIn = 'number' | 'string' | 'absent'
export type ErrorShape = 'array' | 'object' | 'html'

/** One knob: where it starts, what it takes, what it does, and which open question to CloudSigma it stands for. */
export type Knob<Value> = {
  readonly area: string
  readonly initial: Value
  readonly takes: string
  readonly check: (value: unknown) => boolean
  readonly says: string
  /** Number of the open question (cloud-impersonation, section 7). */
  readonly question?: number
}

type Meaning = { readonly area: string; readonly says: string; readonly question?: number }
const COUNT_MAX = 10 ** 9
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= COUNT_MAX

const count = (initial: number, meaning: Meaning): Knob<number> => ({ ...meaning, initial, takes: 'a whole number', check: isCount })
const flag = (initial: boolean, meaning: Meaning): Knob<boolean> => ({
  ...meaning,
  initial,
  takes: 'true, false',
  check: (value) => typeof value === 'boolean',
})
const choice = <Value extends string>(values: readonly [Value, ...Value[]], meaning: Meaning): Knob<Value> => ({
  ...meaning,
  initial: values[0],
  takes: values.join(', '),
  check: (value) => values.some((each) => each === value),
})
const words = (initial: readonly string[], meaning: Meaning): Knob<readonly string[]> => ({
  ...meaning,
  initial,
  takes: 'a list of words',
  check: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
})
/** 0 stands for "as the client's own setting says", so -1 cannot be needed and 0 s is reached with `dead_on_arrival_service`. */
const ttl = (initial: number, meaning: Meaning): Knob<number> => count(initial, meaning)

const EXPIRES_IN = ['number', 'string', 'absent'] as const
const ERROR_SHAPES = ['array', 'object', 'html'] as const

const IDENTITY: { readonly [Name in IdentityKnob]: Knob<Knobs[Name]> } = {
  wrongHostIdentity: flag(true, {
    area: 'identity',
    question: 8,
    says: 'A bearer on a host that is not `direct` is taken, and acts as the service account’s default user; off: 401.',
  }),
  tokenValidAt: choice(['minting-host', 'direct-hosts'], {
    area: 'identity',
    question: 1,
    says: 'Where an impersonated token counts: in the region that minted it, or on every `direct` host.',
  }),
  acceptedSubjects: choice(['email', 'email-or-uuid'], {
    area: 'identity',
    question: 3,
    says: 'What `user_email` of the impersonate call may hold.',
  }),
  impersonatableUsers: words([], {
    area: 'identity',
    question: 6,
    says: 'E-mails that clients may impersonate; empty: everybody. Others get 403.',
  }),
  impScopes: words([], {
    area: 'identity',
    question: 6,
    says: 'Collections that an impersonated token reaches (`servers`, `drives`, …); empty: the whole account. `profile` always.',
  }),
  directlessRegions: words([], {
    area: 'identity',
    question: 7,
    says: 'Regions without a `direct` host: whatever is sent there gets a 404 page of the gateway.',
  }),
  revocationEndpoint: flag(false, {
    area: 'identity',
    question: 5,
    says: '`POST /service_provider/api/v1/user/revoke` with `{"token"}` revokes an impersonated token. The path is invented.',
  }),
}
type IdentityKnob =
  | 'wrongHostIdentity'
  | 'tokenValidAt'
  | 'acceptedSubjects'
  | 'impersonatableUsers'
  | 'impScopes'
  | 'directlessRegions'
  | 'revocationEndpoint'

const TOKENS: { readonly [Name in TokenKnob]: Knob<Knobs[Name]> } = {
  saTtlS: ttl(0, { area: 'tokens', question: 2, says: 'Seconds that a service-account token lives; 0: as the client is set.' }),
  rptTtlS: ttl(0, { area: 'tokens', question: 2, says: 'Seconds that an RPT lives; 0: as the client is set.' }),
  impTtlS: ttl(300, { area: 'tokens', question: 2, says: 'Seconds that an impersonated token lives.' }),
  impForm: choice(['jwt', 'opaque'], { area: 'tokens', question: 2, says: 'Whether an impersonated token is a JWT.' }),
  actInToken: flag(false, { area: 'tokens', question: 2, says: 'An impersonated JWT has an `act` claim with the service account.' }),
  saExpiresIn: choice(EXPIRES_IN, { area: 'tokens', question: 2, says: 'How `expires_in` of step 1 comes.' }),
  rptExpiresIn: choice(EXPIRES_IN, { area: 'tokens', question: 2, says: 'How `expires_in` of step 2 comes.' }),
  impExpiresIn: choice(EXPIRES_IN, { area: 'tokens', question: 2, says: 'How `expires_in` of step 3 comes.' }),
  impersonateErrorShape: choice(ERROR_SHAPES, { area: 'tokens', question: 4, says: 'The form of errors of step 3.' }),
  impersonateUnknownStatus: {
    area: 'tokens',
    question: 4,
    initial: 404,
    takes: 'a status from 400 to 599',
    check: (value) => isCount(value) && Number(value) >= 400 && Number(value) <= 599,
    says: 'The status of step 3 for an unknown user.',
  },
  impersonateGives: {
    area: 'tokens',
    initial: '',
    takes: 'an e-mail, or nothing',
    check: (value) => typeof value === 'string',
    says: 'Step 3 gives a token of this user, whoever was asked for: identity must be asserted, never assumed (R-2).',
  },
  oauthClockSkewMs: {
    area: 'tokens',
    initial: 0,
    takes: 'a whole number, also below 0',
    check: (value) => Number.isSafeInteger(value) && Math.abs(Number(value)) <= COUNT_MAX,
    says: 'How far the OAuth server’s clock is ahead of the API’s: `iat`, `exp` and its `Date` follow it.',
  },
  oauthState: choice(['up', 'starting', 'overloaded'], {
    area: 'tokens',
    says: '`starting`: 503 text with Retry-After; `overloaded`: 503 without a body, as Keycloak answers then.',
  }),
}
type TokenKnob =
  | 'saTtlS'
  | 'rptTtlS'
  | 'impTtlS'
  | 'impForm'
  | 'actInToken'
  | 'saExpiresIn'
  | 'rptExpiresIn'
  | 'impExpiresIn'
  | 'impersonateErrorShape'
  | 'impersonateUnknownStatus'
  | 'impersonateGives'
  | 'oauthClockSkewMs'
  | 'oauthState'

const WIRE: { readonly [Name in WireKnob]: Knob<Knobs[Name]> } = {
  listLagMs: count(20_000, {
    area: 'lists',
    question: 10,
    says: 'Milliseconds until a created object shows in lists. GET by uuid is immediate.',
  }),
  defaultLimit: count(20, { area: 'lists', question: 10, says: 'Objects on a page when no limit is asked for.' }),
  limitMax: count(0, { area: 'lists', says: 'No page has more, also with `limit=0`; 0: `limit=0` gives all.' }),
  errorShape: choice(ERROR_SHAPES, { area: 'formats', says: 'The form of errors of API 2.0.' }),
  floatNumbers: flag(true, { area: 'formats', says: 'Sizes of drives and memory come as floats: `1073741824.0`.' }),
  nullFields: flag(false, {
    area: 'formats',
    says: 'Fields that may be absent of sense are null: `meta`, `tags`, `jobs`, `grantees`, `permissions`.',
  }),
  unknownFields: flag(false, { area: 'formats', says: 'Every object has a field that no documentation names.' }),
  uuidContains: {
    area: 'formats',
    initial: '',
    takes: 'up to 7 hexadecimal digits',
    check: (value) => typeof value === 'string' && /^[0-9a-f]{0,7}$/.test(value),
    says: 'Forced into every new uuid, `404` for one: no client may decide on substrings (R-14).',
  },
  latencyMs: count(0, { area: 'traffic', says: 'Milliseconds before each answer.' }),
  latencyJitterMs: count(0, { area: 'traffic', says: 'Up to so many more, by the seed.' }),
  rateLimitPerMinute: count(10_000, {
    area: 'traffic',
    says: 'Calls of one user a minute, DELETE apart; then 429 with Retry-After. 0: none.',
  }),
  deleteLimitPerMinute: count(1000, { area: 'traffic', says: 'DELETEs of one user a minute. 0: none.' }),
}
type WireKnob =
  | 'listLagMs'
  | 'defaultLimit'
  | 'limitMax'
  | 'errorShape'
  | 'floatNumbers'
  | 'nullFields'
  | 'unknownFields'
  | 'uuidContains'
  | 'latencyMs'
  | 'latencyJitterMs'
  | 'rateLimitPerMinute'
  | 'deleteLimitPerMinute'

const MACHINES: { readonly [Name in Exclude<keyof Knobs, IdentityKnob | TokenKnob | WireKnob>]: Knob<Knobs[Name]> } = {
  driveCreateMs: count(1000, { area: 'drives', says: 'Milliseconds that a new drive is `creating`.' }),
  cloneMs: count(5000, { area: 'drives', says: 'Milliseconds that a clone takes; its job’s progress follows.' }),
  cloneEndsAs: choice(['unmounted', 'unavailable'], { area: 'drives', says: 'What a clone becomes.' }),
  resizeMs: count(1000, { area: 'drives', says: 'Milliseconds that a drive is `resizing`.' }),
  startMs: count(2000, { area: 'servers', says: 'Milliseconds that a server is `starting`.' }),
  startOutcome: choice(['runs', 'payment', 'capacity', 'concurrency-once', 'stuck'], {
    area: 'servers',
    says: 'What a start does: 402, 503 out of capacity, 503 concurrency at the first try, or `starting` for ever.',
  }),
  emptyActionBody: choice(['refused', 'accepted'], {
    area: 'servers',
    says: 'What an action without a body gets: 400, or its way. Clients in the field send `{}`.',
  }),
  stopMs: count(1000, { area: 'servers', says: 'Milliseconds that a power cut takes.' }),
  shutdownMs: count(60_000, { area: 'servers', says: 'Milliseconds that ACPI is given.' }),
  guestIgnoresShutdown: flag(false, { area: 'servers', says: 'The guest does not react to `shutdown`: back to `running`.' }),
  deleteMs: count(0, { area: 'servers', says: 'Milliseconds that a server is `deleting` after the 204.' }),
  deleteRefused: flag(false, { area: 'servers', says: 'DELETE of a server gets the 403 of a wrong state, whatever its state.' }),
  deleteLeavesDrives: flag(false, { area: 'servers', says: '`?recurse=` is ignored: the drives stay.' }),
  runningPut: choice(['ignored', 'applied'], {
    area: 'servers',
    question: 10,
    says: 'What PUT on a running server does to drives and NICs. Name, meta and tags always apply.',
  }),
  actInLogs: flag(false, { area: 'accounts', question: 9, says: '`/logs/` names the impersonating client as `act`.' }),
  sharedPayer: choice(['owner', 'user'], {
    area: 'accounts',
    question: 11,
    says: 'Who pays for a drive that was shared by ACL and is mounted elsewhere: its owner, or who mounts it.',
  }),
  enforceFunds: flag(true, { area: 'accounts', says: 'A start needs funds for five days; else 402.' }),
}

/** Every knob by name. The table in the guide is made of it. */
export const KNOBS: { readonly [Name in keyof Knobs]: Knob<Knobs[Name]> } = { ...IDENTITY, ...TOKENS, ...WIRE, ...MACHINES }

/** All knobs where they start: the conservative answer to each open question. */
export const INITIAL_KNOBS: Knobs = Object.fromEntries(
  Object.entries(KNOBS).map(([name, { initial }]) => [name, initial]),
) as unknown as Knobs

/**
 * Checks knobs as a person or a program gave them: a mistyped one must not pass for a test that passed.
 * @throws {InputError}
 */
export function parseKnobs(value: unknown): Partial<Knobs> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InputError('Cannot turn knobs: they must be an object')
  for (const [name, setting] of Object.entries(value)) {
    const knob = Object.hasOwn(KNOBS, name) ? (KNOBS as Readonly<Record<string, Knob<unknown>>>)[name] : undefined
    if (knob === undefined) {
      const close = nearest(name, Object.keys(KNOBS))
      throw new InputError(`Cannot turn '${name}': there is no such knob${close === undefined ? '' : `; did you mean '${close}'?`}`)
    }
    if (!knob.check(setting)) throw new InputError(`Cannot turn '${name}' to ${JSON.stringify(setting)}: it takes ${knob.takes}`)
  }
  // Every name and value was checked above.
  return value as Partial<Knobs>
}
