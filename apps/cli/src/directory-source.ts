import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { InputError, errorCode } from '@ascribe/kit'
import type { DirectoryFormat } from '@ascribe/ledger'
import { callHttp } from '@ascribe/service'
import type { Config } from './config.ts'

/** Beyond that it is no directory; and all of it is held in memory. */
const BYTES_MAX = 256 * 1024 * 1024
const TIMEOUT_MS = 120_000

const FORMATS: ReadonlyMap<string, DirectoryFormat> = new Map([
  ['.yaml', 'yaml'],
  ['.yml', 'yaml'],
  ['.json', 'json'],
  ['.ndjson', 'ndjson'],
  ['.jsonl', 'ndjson'],
])

/** What a file or an address holds. `format`: where its name or the server says so. @throws {InputError, HttpCallError} */
export async function readDirectorySource(
  place: string,
  config: Pick<Config, 'directory'>,
): Promise<{ readonly text: string; readonly format: DirectoryFormat | undefined }> {
  const isAddress = /^https?:\/\//i.test(place)
  const { bytes, name } = isAddress ? await fetchSource(place, config) : { bytes: await readSource(place), name: place }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), format: FORMATS.get(extname(name).toLowerCase()) }
  } catch (cause) {
    throw new InputError(`Cannot read the source ${shown(place)}: it is not UTF-8`, { cause })
  }
}

async function readSource(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new InputError(`Cannot read the source ${path}: ${errorCode(cause) ?? 'it cannot be opened'}`, { cause })
  }
}

async function fetchSource(address: string, config: Pick<Config, 'directory'>): Promise<{ readonly bytes: Buffer; readonly name: string }> {
  const authorization = config.directory.authorization?.reveal()
  const reply = await callHttp({
    url: address,
    headers: {
      accept: 'application/json, application/x-ndjson, application/yaml;q=0.9',
      ...(authorization !== undefined && { authorization }),
    },
    timeoutMs: TIMEOUT_MS,
    replyBytesMax: BYTES_MAX,
  })
  if (reply.status !== 200) {
    throw new InputError(`Cannot read the source ${shown(address)}: it answers ${reply.status}`, {
      ...((reply.status === 401 || reply.status === 403) && {
        hint: 'Set directory.authorization to what its Authorization header has to be.',
      }),
    })
  }
  const type = reply.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const byType = /ndjson|jsonl|json-seq/.test(type) ? '.ndjson' : type.endsWith('json') ? '.json' : type.endsWith('yaml') ? '.yaml' : ''
  return { bytes: reply.body, name: byType === '' ? new URL(address).pathname : `source${byType}` }
}

/** Without what may be a secret behind a question mark. */
function shown(place: string): string {
  return place.split('?', 1)[0] ?? place
}
