import { isUuid } from '@ascribe/units'
import type { ActRecord, MachineNote, MintDay } from '@ascribe/usage'

/** A payload of a journal that is no plain usage record; or why it cannot be used. */
export type CheckedSide =
  | { readonly kind: 'act'; readonly act: ActRecord | MintDay }
  | { readonly kind: 'machine'; readonly note: MachineNote }
  /** JSON of the record, whose id is its own. */
  | { readonly kind: 'usage'; readonly eventId: string; readonly payload: string }
  | { readonly kind: 'fault'; readonly reason: string }

type Fields = Readonly<Record<string, unknown>>

/** What cannot be stored; thrown and caught within this file. */
class Fault extends Error {}

/** Longest text of a field that is an id or a name: Kubernetes has 253 for a name, and an object has two. */
const TEXT_LENGTH_MAX = 1024
const SERVER_LENGTH_MAX = 200
const INSTANT_MAX = Date.UTC(2200, 0, 1)
const COUNT_MAX = 2 ** 31 - 1

/** Reads what a controller wrote beside usage. `eventId`: of its frame. */
export function checkSide(payload: string, eventId: string): CheckedSide {
  try {
    // PostgreSQL holds no NUL, and no half of a surrogate pair: nothing that a controller writes has either.
    if (payload.includes('\\u0000') || !payload.isWellFormed() || /\\ud[89a-f]/i.test(payload))
      throw new Fault('it has text that cannot be stored')
    return sideOf(fieldsOf(JSON.parse(payload)), eventId)
  } catch (thrown) {
    if (thrown instanceof Fault) return { kind: 'fault', reason: thrown.message }
    if (thrown instanceof SyntaxError) return { kind: 'fault', reason: 'payload is not JSON' }
    throw thrown
  }
}

function sideOf(fields: Fields, eventId: string): CheckedSide {
  if (fields['eventId'] !== eventId || !isUuid(eventId)) throw new Fault('eventId is not the one of its frame')
  switch (fields['kind']) {
    case 'usage': {
      const record = fieldsOf(fields['record'])
      const id = record['eventId']
      if (typeof id !== 'string' || !isUuid(id)) throw new Fault('the record has no event id')
      return { kind: 'usage', eventId: id, payload: JSON.stringify(record) }
    }
    case 'machine':
      checkNote(fields)
      // Every field was checked.
      return { kind: 'machine', note: fields as unknown as MachineNote }
    case 'act':
      checkAct(fields)
      return { kind: 'act', act: fields as unknown as ActRecord }
    case 'mint_day':
      checkTimes(fields)
      for (const name of ['authId', 'userId', 'controller']) text(fields, name)
      for (const name of ['minted', 'refused', 'discarded']) count(fields, name)
      texts(fields, 'regions')
      if (!/^[0-9a-f]{32}$/.test(text(fields, 'name'))) throw new Fault('name is no 32 hex digits')
      return { kind: 'act', act: fields as unknown as MintDay }
    default:
      throw new Fault('it is of a kind that this program does not know')
  }
}

function checkAct(fields: Fields): void {
  checkTimes(fields)
  for (const name of ['verb', 'authId', 'outcome']) text(fields, name)
  const account = fieldsOf(fields['account'])
  for (const name of ['kind', 'userId', 'region']) text(account, name)
  optionalText(account, 'binding')
  const actor = fieldsOf(fields['actor'])
  for (const name of ['controller', 'object', 'objectUid']) text(actor, name)
  for (const name of ['cluster', 'requestedBy']) optionalText(actor, name)
  for (const name of ['resource', 'made']) if (fields[name] !== undefined) checkResource(fieldsOf(fields[name]))
  for (const name of ['fault', 'cloudRequestId']) optionalText(fields, name)
  if (fields['status'] !== undefined) count(fields, 'status')
  if (fields['mints'] !== undefined) texts(fields, 'mints')
}

function checkResource(resource: Fields): void {
  text(resource, 'type')
  text(resource, 'uuid', SERVER_LENGTH_MAX)
}

function checkNote(fields: Fields): void {
  instant(fields, 'startedAt')
  instant(fields, 'since')
  text(fields, 'serverId', SERVER_LENGTH_MAX)
  for (const name of ['name', 'namespace', 'region', 'authId', 'userId']) text(fields, name)
  optionalText(fields, 'cluster')
  if (!['Owner', 'PlatformAccount', 'Legacy'].includes(text(fields, 'account'))) throw new Fault('account is none that there is')
  if (!['running', 'stopped', 'deleted'].includes(text(fields, 'state'))) throw new Fault('state is none that there is')
  for (const name of ['cpuMhz', 'memoryMib', 'addresses']) count(fields, name)
  if (!/^\d{1,30}$/.test(text(fields, 'diskBytes'))) throw new Fault('diskBytes are no digits')
}

function checkTimes(fields: Fields): void {
  if (instant(fields, 'endedAt') < instant(fields, 'startedAt')) throw new Fault('it ended before it began')
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Fault('a part of it is no JSON object')
  // `JSON.parse` gave it, so its keys are text.
  return value as Fields
}

function text(fields: Fields, name: string, max: number = TEXT_LENGTH_MAX): string {
  const value = fields[name]
  if (typeof value !== 'string' || value === '' || Buffer.byteLength(value) > max)
    throw new Fault(`${name} is no text of 1 to ${max} bytes`)
  return value
}

function optionalText(fields: Fields, name: string): void {
  if (fields[name] !== undefined) text(fields, name)
}

function texts(fields: Fields, name: string): void {
  const list = fields[name]
  if (!Array.isArray(list) || list.length > 100 || !list.every((each) => typeof each === 'string' && each.length <= TEXT_LENGTH_MAX))
    throw new Fault(`${name} is no list of texts`)
}

function instant(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value >= INSTANT_MAX)
    throw new Fault(`${name} is not an instant in milliseconds`)
  return value
}

function count(fields: Fields, name: string): void {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > COUNT_MAX) throw new Fault(`${name} is not a count`)
}
