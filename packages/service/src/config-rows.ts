import { stringify } from 'yaml'
import { z } from 'zod'
import { placeText } from './config-file.ts'
import type { Leaf } from './config-schema.ts'
import type { ConfigSource, LoadedConfig } from './load-config.ts'
import { Secret } from './secret.ts'

/** One setting in force, for people. */
export type ConfigRow = {
  /** Dotted path. */
  readonly key: string
  /** As one would write it; secrets are `***`. */
  readonly value: string
  /** `default`, `FILE:LINE:COLUMN`, `env NAME` or `flag --name`. */
  readonly source: string
  /** The variable that would set it. */
  readonly env: string
}

/** What is in force and from where, one row a setting, in the order of the schema. */
export function configRows(loaded: LoadedConfig): readonly ConfigRow[] {
  return loaded.leaves.map((leaf) => {
    const key = leaf.path.join('.')
    return { key, value: show(leaf, valueAt(loaded.value, leaf)), source: sourceText(loaded.sources.get(key)), env: leaf.envName }
  })
}

function sourceText(source: ConfigSource = { kind: 'default' }): string {
  switch (source.kind) {
    case 'default':
      return 'default'
    case 'file':
      return placeText(source)
    case 'env':
      return `env ${source.name}`
    case 'flag':
      return `flag ${source.name}`
  }
}

function valueAt(root: unknown, leaf: Leaf): unknown {
  return leaf.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    root,
  )
}

function show(leaf: Leaf, value: unknown): string {
  if (value === undefined) return '(not set)'
  const written = value instanceof Secret ? value : encode(leaf, value)
  if (typeof written === 'string') return written
  // JSON first: it masks secrets, and YAML then shows what one would write.
  return stringify(JSON.parse(JSON.stringify(written)), { collectionStyle: 'flow', lineWidth: 0 })
    .trim()
    .replace(/^"(\*\*\*)"$/, '$1')
}

/** The value as it is written in a file. A transform cannot be undone: then it is shown as it is. */
function encode(leaf: Leaf, value: unknown): unknown {
  try {
    const encoded = z.safeEncode(leaf.schema as z.ZodType, value)
    return encoded.success ? encoded.data : value
  } catch {
    return value
  }
}
