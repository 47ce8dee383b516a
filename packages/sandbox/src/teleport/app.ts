import { InputError } from '@ascribe/kit'

/** What of an operator goes into the assertion: `rewrite.jwt_claims` of the app. */
export type JwtClaims = 'roles-and-traits' | 'roles' | 'traits' | 'none'

/** `cors` of an app: Teleport itself then answers preflights, and nothing else changes. */
export type AppCors = {
  /** Exact ones, or `*`; here also with one `*` for letters and digits, as in `publicAddr`. */
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders: readonly string[]
  readonly exposedHeaders: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAgeS: number
}

export type HeaderRewrite = { readonly name: string; readonly value: string }

/** An application behind Teleport. */
export type TeleportApp = {
  readonly name: string
  /** Its internal address, and the audience of its assertions. */
  readonly uri: string
  /** Where requests really go; default: `uri`. Lets the audience be known before the port is. */
  readonly upstream?: string
  /**
   * Host name without port, lower case, under which browsers reach it. One `*` stands for letters and digits: the apps of all
   * environments at once, which in a real cluster are registered one by one.
   */
  readonly publicAddr: string
  /** Default `roles-and-traits`, as Teleport's. */
  readonly jwtClaims?: JwtClaims
  /** Sets these headers on every request; values may hold `{{internal.jwt}}`. */
  readonly headers?: readonly HeaderRewrite[]
  readonly cors?: AppCors
  /** Names of apps that a launch of this one signs in to first. */
  readonly requiredApps?: readonly string[]
  /** Roles of operators who may use it; default: everybody. */
  readonly roles?: readonly string[]
}

const JWT_CLAIMS: readonly string[] = ['roles-and-traits', 'roles', 'traits', 'none'] satisfies readonly JwtClaims[]

/**
 * An app from Teleport's own resource (`kind: app`), parsed from YAML: what an operator would `tctl create`.
 * Both spellings of the required apps are read: `required_app_names` of the resource, `required_apps` of `teleport.yaml`.
 * @throws {InputError}
 */
export function parseTeleportApp(resource: unknown): TeleportApp {
  const { kind, metadata, spec } = fields(resource, 'the resource')
  if (kind !== 'app') throw new InputError(`Cannot use the app: kind is ${JSON.stringify(kind)}, not "app"`)
  const name = text(fields(metadata, 'metadata')['name'], 'metadata.name')
  const { uri, public_addr: publicAddr, rewrite, cors, required_app_names: required, required_apps: requiredToo } = fields(spec, 'spec')
  const { headers, jwt_claims: jwtClaims = 'roles-and-traits' } = rewrite === undefined ? {} : fields(rewrite, 'spec.rewrite')
  if (!isJwtClaims(jwtClaims)) throw new InputError(`Cannot use the app ${name}: jwt_claims is ${JSON.stringify(jwtClaims)}`)
  return {
    name,
    uri: text(uri, 'spec.uri'),
    publicAddr: text(publicAddr, 'spec.public_addr'),
    jwtClaims,
    headers: texts(headers, 'spec.rewrite.headers').map(parseRewrite),
    requiredApps: texts(required ?? requiredToo, 'spec.required_app_names'),
    ...(cors !== undefined && { cors: parseCors(fields(cors, 'spec.cors')) }),
  }
}

function parseCors(cors: Readonly<Record<string, unknown>>): AppCors {
  const list = (name: string): readonly string[] => texts(cors[name], `spec.cors.${name}`)
  return {
    allowedOrigins: list('allowed_origins'),
    allowedMethods: list('allowed_methods'),
    allowedHeaders: list('allowed_headers'),
    exposedHeaders: list('exposed_headers'),
    allowCredentials: cors['allow_credentials'] === true,
    maxAgeS: typeof cors['max_age'] === 'number' ? cors['max_age'] : 0,
  }
}

function parseRewrite(line: string): HeaderRewrite {
  const colon = line.indexOf(':')
  if (colon < 1) throw new InputError(`Cannot use the header rewrite ${JSON.stringify(line)}: it must read "Name: value"`)
  return { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() }
}

function isJwtClaims(value: unknown): value is JwtClaims {
  return typeof value === 'string' && JWT_CLAIMS.includes(value)
}

function fields(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(`Cannot use the app: ${where} must be an object`)
  return value as Readonly<Record<string, unknown>>
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new InputError(`Cannot use the app: ${where} must be a text`)
  return value
}

function texts(value: unknown, where: string): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new InputError(`Cannot use the app: ${where} must be a list`)
  return value.map((each) => text(each, where))
}
