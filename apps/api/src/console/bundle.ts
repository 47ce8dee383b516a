import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'

/** One file of the built console, as it is sent. */
export type BundleFile = {
  readonly contentType: string
  readonly bytes: Uint8Array
  /** The same, smaller, where the build made it so. */
  readonly brotli: Uint8Array | undefined
  readonly gzip: Uint8Array | undefined
  /** Its name holds a hash of what is in it: it never changes. */
  readonly isImmutable: boolean
}

export type Bundle = {
  /** With the places that a page fills in. */
  readonly html: string
  /** By path below the base: `assets/index-….js`, `favicon.svg`. What is not here is no file. */
  readonly files: ReadonlyMap<string, BundleFile>
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Where Vite puts what it has hashed. */
const HASHED = 'assets'

/** Reads the built console; `undefined`: there is none in that folder. Nothing but what is listed here is ever served. */
export function readBundle(folder: string): Bundle | undefined {
  const index = join(folder, 'index.html')
  if (!existsSync(index)) return undefined
  const files = new Map<string, BundleFile>()
  for (const name of readdirSync(folder)) addFile(files, { folder, name, isImmutable: false })
  const assets = existsSync(join(folder, HASHED)) ? readdirSync(join(folder, HASHED)) : []
  for (const name of assets) addFile(files, { folder, name: `${HASHED}/${name}`, isImmutable: true })
  return { html: readFileSync(index, 'utf8'), files }
}

type Found = { readonly folder: string; readonly name: string; readonly isImmutable: boolean }

function addFile(files: Map<string, BundleFile>, { folder, name, isImmutable }: Found): void {
  const contentType = TYPES[extname(name)]
  if (contentType === undefined) return
  const path = join(folder, name)
  const packed = (suffix: string): Uint8Array | undefined => (existsSync(`${path}${suffix}`) ? readFileSync(`${path}${suffix}`) : undefined)
  files.set(name, { contentType, bytes: readFileSync(path), brotli: packed('.br'), gzip: packed('.gz'), isImmutable })
}
