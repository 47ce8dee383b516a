import { assert } from '@ascribe/kit'
import { z } from 'zod'
import { isSecretSchema } from './config-types.ts'

type Schema = z.core.$ZodType
/** A path of keys from the root. Indexes of lists are keys too. */
export type Path = readonly string[]

/** One setting: a place in the schema that has no named places below it. */
export type Leaf = {
  readonly path: Path
  /** The variable that sets it. */
  readonly envName: string
  readonly schema: Schema
  readonly isSecret: boolean
  /** Texts from the environment are read as YAML where the setting is a number, a truth value, a list or a map. */
  readonly isYamlInEnv: boolean
}

/** The schema without optional(), default() and the like around it, and without what is done with the value afterwards. */
export function unwrap(schema: Schema): Schema {
  const { def } = schema._zod
  if ('innerType' in def) return unwrap(def.innerType as Schema)
  // A codec is one setting, however it is written.
  return schema instanceof z.ZodPipe && !(schema instanceof z.ZodCodec) ? unwrap(schema._zod.def.in) : schema
}

/** Named places below a schema, if it is an object. */
export function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const inner = unwrap(schema)
  return inner instanceof z.core.$ZodObject ? inner._zod.def.shape : undefined
}

/** The schema of `key` below `schema`: of an object, a map or a list. */
export function childOf(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema === undefined) return undefined
  const inner = unwrap(schema)
  if (inner instanceof z.core.$ZodObject) return inner._zod.def.shape[key]
  if (inner instanceof z.core.$ZodRecord) return inner._zod.def.valueType
  if (inner instanceof z.core.$ZodArray) return inner._zod.def.element
  return undefined
}

export type LeafOptions = {
  /** Before every variable's name, `ASCRIBE_`. */
  readonly prefix: string
  /** Names for settings whose variable is called otherwise, by dotted path: `{ databaseUrl: 'DATABASE_URL' }`. */
  readonly envNames: Readonly<Record<string, string>>
}

/** Every setting of a schema with its variable's name. Throws an AssertionError when two would have the same, or an object is not strict. */
export function leavesOf(schema: Schema, options: LeafOptions): readonly Leaf[] {
  const leaves: Leaf[] = []
  const visit = (at: Schema, path: Path): void => {
    const shape = shapeOf(at)
    if (shape === undefined) return void leaves.push(leafOf(at, path, options))
    assert(isStrict(at), `the schema at ${path.join('.') || 'the root'} must be a z.strictObject()`)
    for (const [key, child] of Object.entries(shape)) visit(child, [...path, key])
  }
  visit(schema, [])
  const names = new Map<string, string>()
  for (const { envName, path } of leaves) {
    assert(!names.has(envName), `${names.get(envName)} and ${path.join('.')} would both be ${envName}`)
    names.set(envName, path.join('.'))
  }
  for (const dotted of Object.keys(options.envNames))
    assert(
      leaves.some(({ path }) => path.join('.') === dotted),
      `envNames: there is no setting ${dotted}`,
    )
  return leaves
}

function leafOf(schema: Schema, path: Path, options: LeafOptions): Leaf {
  const inner = unwrap(schema)
  const snake = path
    .map((key) =>
      key
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .replaceAll('-', '_')
        .toUpperCase(),
    )
    .join('_')
  return {
    path,
    envName: options.envNames[path.join('.')] ?? options.prefix + snake,
    schema,
    isSecret: isSecretSchema(inner),
    isYamlInEnv: ['number', 'boolean', 'int', 'array', 'record', 'bigint'].includes(inner._zod.def.type),
  }
}

function isStrict(schema: Schema): boolean {
  const inner = unwrap(schema)
  return inner instanceof z.core.$ZodObject && inner._zod.def.catchall instanceof z.core.$ZodNever
}
