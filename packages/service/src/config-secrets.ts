import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { errorCode } from '@ascribe/kit'
import type { z } from 'zod'
import { type Path, childOf, unwrap } from './config-schema.ts'
import { isSecretSchema } from './config-types.ts'
import { Secret } from './secret.ts'

const SECRET_BYTES_MAX = 64 * 1024

export type SecretContext = {
  readonly schema: z.core.$ZodType
  readonly env: Readonly<Record<string, string | undefined>>
  /** The configuration file: paths are relative to its folder. */
  readonly file: string | undefined
  /** Takes what is wrong with the setting at `path`. */
  readonly complain: (path: Path, problem: string) => void
}

/** A copy of the settings in which every `{ env }` and `{ file }` that stands for a secret is that secret. */
export function resolveSecrets(settings: object, context: SecretContext): object {
  const visit = (value: unknown, schema: z.core.$ZodType | undefined, path: Path): unknown => {
    if (value instanceof Secret || value === undefined) return value
    if (schema !== undefined && isSecretSchema(unwrap(schema))) return secretOf(value, path, context)
    if (Array.isArray(value)) return value.map((each, index) => visit(each, childOf(schema, String(index)), [...path, String(index)]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, visit(each, childOf(schema, key), [...path, key])]))
  }
  return visit(settings, context.schema, []) as object
}

function secretOf(value: unknown, path: Path, { file, env, complain }: SecretContext): Secret {
  const [[kind, name] = [], ...others] = typeof value === 'object' && value !== null ? Object.entries(value) : []
  let read: Secret | string = 'a secret is not written out here; use { env: NAME } or { file: PATH }'
  if (others.length === 0 && typeof name === 'string') {
    if (kind === 'env') read = env[name] ? new Secret(env[name]) : `the variable ${name} is not set`
    if (kind === 'file') read = secretFile(resolve(dirname(file ?? '.'), name))
  }
  if (read instanceof Secret) return read
  complain(path, read)
  // The schema must not complain a second time about what is a problem already.
  return new Secret('')
}

/** The secret in a file, without the newline at its end; or what is wrong with it. */
export function secretFile(path: string): Secret | string {
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    if (text.length > SECRET_BYTES_MAX) return `the file ${path} has more than ${SECRET_BYTES_MAX} bytes`
    return text === '' ? `the file ${path} is empty` : new Secret(text)
  } catch (cause) {
    return `the file ${path} cannot be read (${errorCode(cause) ?? 'unknown reason'})`
  }
}
