import { crc32 } from 'node:zlib'
import { errorCode } from '@ascribe/kit'
import { JournalCorruptError } from './errors.ts'
import { type JournalFs, replaceFile } from './fs.ts'
import { RELEASED_FILE } from './layout.ts'

/**
 * What a writer's folder no longer holds, as far as the rest cannot be understood without it (SPEC.md section 7).
 * A pair of intent and settlement that was released together is in neither set, so that the sets stay small.
 */
export type Released = {
  /** Sequences of the released segments. One that still exists is on its way out: readers leave it out. */
  readonly segments: ReadonlySet<number>
  /** Events whose intent was released and whose settlement is still here. */
  readonly intents: ReadonlySet<string>
  /** Events whose settlement was released and whose intent is still here: not open. */
  readonly settlements: ReadonlySet<string>
}

const NOTHING_RELEASED: Released = { segments: new Set(), intents: new Set(), settlements: new Set() }

type Body = {
  readonly version: 1
  readonly segments: readonly (readonly [number, number])[]
  readonly intents: readonly string[]
  readonly settlements: readonly string[]
}

/**
 * Reads the record of what was released.
 *
 * @throws {JournalCorruptError} when it does not check out: without it a settled intent would look open.
 */
export async function readReleased(files: JournalFs, dir: string): Promise<Released> {
  const path = `${dir}/${RELEASED_FILE}`
  let text: string
  try {
    text = (await files.readFile(path)).toString('utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return NOTHING_RELEASED
    throw cause
  }
  const checksum = text.slice(0, 8)
  const json = text.slice(9)
  if (checksum !== checksumOf(json)) throw new JournalCorruptError(`Cannot read ${path}: its checksum differs`, { segment: 0, offset: 0 })
  const body = bodyOf(json)
  if (body.version !== 1) {
    throw new JournalCorruptError(`Cannot read ${path}: its version is ${String(body.version)}, known is 1`, { segment: 0, offset: 0 })
  }
  return { segments: sequencesOf(body.segments), intents: new Set(body.intents), settlements: new Set(body.settlements) }
}

/** Puts the record in place, durably, before anything that it names is deleted. */
export async function writeReleased(files: JournalFs, dir: string, released: Released): Promise<void> {
  const body: Body = {
    version: 1,
    segments: rangesOf(released.segments),
    intents: [...released.intents],
    settlements: [...released.settlements],
  }
  const json = JSON.stringify(body)
  await replaceFile(files, { dir, name: RELEASED_FILE, content: Buffer.from(`${checksumOf(json)}\n${json}`) })
}

// The checksum held, so the text is one that writeReleased() made.
function bodyOf(json: string): Body {
  return JSON.parse(json) as Body
}

function checksumOf(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}

function rangesOf(sequences: ReadonlySet<number>): [number, number][] {
  const ranges: [number, number][] = []
  for (const sequence of [...sequences].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === sequence - 1) last[1] = sequence
    else ranges.push([sequence, sequence])
  }
  return ranges
}

function sequencesOf(ranges: readonly (readonly [number, number])[]): Set<number> {
  const sequences = new Set<number>()
  for (const [first, last] of ranges) for (let sequence = first; sequence <= last; sequence += 1) sequences.add(sequence)
  return sequences
}
