import type { z } from 'zod'
import { parse as parseYaml } from 'yaml'
import { nearest } from '@ascribe/kit'
import { type ConfigFile, type FilePlace, placeText, readConfigFile } from './config-file.ts'
import { resolveSecrets, secretFile } from './config-secrets.ts'
import { type Leaf, type Path, childOf, leavesOf, shapeOf } from './config-schema.ts'
import { ConfigError } from './errors.ts'
import { Secret } from './secret.ts'

/** Environment variables by name, as `process.env` has them. */
export type Env = Readonly<Record<string, string | undefined>>

/** Where a setting's value comes from. */
export type ConfigSource =
  | { readonly kind: 'default' }
  | ({ readonly kind: 'file' } & FilePlace)
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string }

/** A value from the command line: the flag's name for people (`--port`) and what it says. */
export type ConfigOverride = { readonly flag: string; readonly value: unknown }

export type ConfigOptions<S extends z.ZodType> = {
  /** A `z.strictObject()` all the way down. */
  readonly schema: S
  /** Path of the YAML file, if there is one. */
  readonly file?: string
  readonly env: Env
  /** Of every variable: `gateway.drainTime` is set by `ASCRIBE_GATEWAY_DRAIN_TIME`. Default `ASCRIBE_`. */
  readonly prefix?: string
  /** Settings whose variable has another name, by dotted path: `{ databaseUrl: 'DATABASE_URL' }`. */
  readonly envNames?: Readonly<Record<string, string>>
  /** Variables with the prefix that others read: no errors, and never suggested. */
  readonly otherEnvNames?: readonly string[]
  /** From the command line, by dotted path. */
  readonly overrides?: Readonly<Record<string, ConfigOverride>>
}

export type LoadedConfig<T = unknown> = {
  readonly value: T
  /** By dotted path; every setting of the schema has one. */
  readonly sources: ReadonlyMap<string, ConfigSource>
  /** The settings of the schema, in its order, for {@link configRows}. */
  readonly leaves: readonly Leaf[]
}

/**
 * Reads the configuration: the file, over it the environment, over it the command line. A blank variable is none.
 * Strict: unknown keys and variables are errors that suggest the right one.
 *
 * @throws {ConfigError} once, with every problem and its place: `file:line:column`, the variable or the flag.
 */
export function loadConfig<S extends z.ZodType>(options: ConfigOptions<S>): LoadedConfig<z.output<S>> {
  const prefix = options.prefix ?? 'ASCRIBE_'
  const leaves = leavesOf(options.schema, { prefix, envNames: options.envNames ?? {} })
  const file = options.file === undefined ? undefined : readConfigFile(options.file)
  const problems: string[] = [...(file?.problems ?? [])]
  const sources = new Map<string, ConfigSource>(leaves.map(({ path }) => [path.join('.'), { kind: 'default' }]))

  const written = file?.value ?? {}
  for (const { path } of leaves)
    if (file !== undefined && has(written, path)) sources.set(path.join('.'), { kind: 'file', ...file.placeOf(path) })
  const names = new Set(leaves.map(({ envName }) => envName))
  for (const leaf of leaves) applyEnv(leaf, { written, env: options.env, sources, problems, names })
  for (const [dotted, { flag, value }] of Object.entries(options.overrides ?? {})) {
    const leaf = leaves.find(({ path }) => path.join('.') === dotted)
    if (leaf === undefined) throw new TypeError(`overrides: there is no setting ${dotted}`)
    put(written, leaf.path, value)
    sources.set(dotted, { kind: 'flag', name: flag })
  }
  problems.push(...unknownVariables(options.env, { prefix, leaves, others: options.otherEnvNames ?? [] }))
  const context: Context = { schema: options.schema, file, sources, leaves, written }
  const settings = resolveSecrets(written, {
    schema: options.schema,
    env: options.env,
    file: options.file,
    complain: (path, problem) => void problems.push(`${placeFor(path, context)}: ${problem}`),
  })
  const result = options.schema.safeParse(settings)
  if (!result.success) problems.push(...result.error.issues.flatMap((issue) => describe(issue, context)))
  if (!result.success || problems.length > 0) throw configError([...new Set(problems)])
  return { value: result.data, sources, leaves }
}

function configError(problems: readonly string[]): ConfigError {
  const [first = '', ...more] = problems
  if (more.length === 0) return new ConfigError(`Cannot use the configuration: ${first}`)
  return new ConfigError(
    `Cannot use the configuration: ${problems.length} problems\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
  )
}

type EnvContext = {
  readonly written: object
  readonly env: Env
  readonly sources: Map<string, ConfigSource>
  readonly problems: string[]
  /** The variables that are settings of their own. */
  readonly names: ReadonlySet<string>
}

function applyEnv(leaf: Leaf, { written, env, sources, problems, names }: EnvContext): void {
  const { envName, path } = leaf
  const text = variable(env, envName)
  // A file that is a setting of its own is read by whoever uses it, again when it has changed.
  const fileName = leaf.isSecret && !names.has(`${envName}_FILE`) ? variable(env, `${envName}_FILE`) : undefined
  if (text !== undefined && fileName !== undefined) return void problems.push(`${envName} and ${envName}_FILE: only one of them may be set`)
  if (fileName !== undefined) {
    const read = secretFile(fileName)
    if (read instanceof Secret) put(written, path, read)
    else problems.push(`${envName}_FILE: ${read}`)
    return void sources.set(path.join('.'), { kind: 'env', name: `${envName}_FILE` })
  }
  if (text === undefined) return
  sources.set(path.join('.'), { kind: 'env', name: envName })
  put(written, path, leaf.isSecret ? new Secret(text) : leaf.isYamlInEnv ? yamlOf(text) : text)
}

function variable(env: Env, name: string): string | undefined {
  const value = env[name]
  return value === undefined || value.trim() === '' ? undefined : value
}

function yamlOf(text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    // The schema says what it should have been.
    return text
  }
}

function unknownVariables(env: Env, known: { prefix: string; leaves: readonly Leaf[]; others: readonly string[] }): string[] {
  const names = new Set(known.leaves.flatMap(({ envName, isSecret }) => (isSecret ? [envName, `${envName}_FILE`] : [envName])))
  const others = new Set(known.others)
  return Object.keys(env)
    .filter((name) => name.startsWith(known.prefix) && !names.has(name) && !others.has(name))
    .map((name) => `${name}: there is no such setting${suggestion(name, names)}`)
}

function suggestion(name: string, candidates: Iterable<string>): string {
  const near = nearest(name, candidates)
  return near === undefined ? '' : `; did you mean ${near}?`
}

type Context = {
  readonly schema: z.core.$ZodType
  readonly file: ConfigFile | undefined
  readonly sources: ReadonlyMap<string, ConfigSource>
  readonly leaves: readonly Leaf[]
  readonly written: object
}

function describe(issue: z.core.$ZodIssue, context: Context): string[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const at = path.reduce<z.core.$ZodType | undefined>(childOf, context.schema)
    const known = Object.keys((at && shapeOf(at)) ?? {})
    return issue.keys.map((key) => `${placeFor([...path, key], context)}: there is no such setting${suggestion(key, known)}`)
  }
  if (has(context.written, path)) return [`${placeFor(path, context)}: ${plainMessage(issue.message)}`]
  const leaf = context.leaves.find((each) => each.path.join('.') === path.join('.'))
  if (leaf === undefined) return [`${placeFor(path, context)}: must be set`]
  return [`${path.join('.')}: must be set, in the file or as ${leaf.envName}`]
}

/** Where the value at `path` comes from, and which setting it is where the place does not say so. */
function placeFor(path: Path, { file, sources }: Context): string {
  const dotted = path.join('.')
  for (let length = path.length; length > 0; length -= 1) {
    const source = sources.get(path.slice(0, length).join('.'))
    if (source?.kind === 'env' || source?.kind === 'flag') return source.name + (length < path.length ? ` (${dotted})` : '')
  }
  return file === undefined ? dotted : `${placeText(file.placeOf(path))}: ${dotted}`
}

function plainMessage(message: string): string {
  return message
    .replace(/^Invalid input: expected (.*), received .*$/, 'must be a $1')
    .replace(/^Invalid (?:input|option): expected one of /, 'must be one of ')
}

function has(value: unknown, path: Path): boolean {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false
    at = (at as Record<string, unknown>)[key]
  }
  return at !== undefined
}

/** Sets a value in `root`, making the maps on the way. What is there and is no map stays: it is a problem of its own. */
function put(root: object, path: Path, value: unknown): void {
  let at = root as Record<string, unknown>
  for (const key of path.slice(0, -1)) {
    at[key] ??= {}
    const next = at[key]
    if (typeof next !== 'object' || next === null) return
    at = next as Record<string, unknown>
  }
  const last = path.at(-1)
  if (last !== undefined) at[last] = value
}
