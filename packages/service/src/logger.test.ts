import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { createLogger, type LoggerOptions } from './logger.ts'
import { Secret } from './secret.ts'

const KEY = 'ask_0123456789ab_abcdefghijklmnopqrstuvwxyz012345'

function capture(options: Partial<LoggerOptions> = {}) {
  const stream = new PassThrough()
  const logger = createLogger({ name: 'gateway', format: 'json', stream, ...options })
  const text = (): string => String(stream.read() ?? '')
  const line = (): Record<string, unknown> => JSON.parse(text()) as Record<string, unknown>
  return { logger, text, line, stream }
}

test('createLogger() writes one JSON object a line with time, level, process, message and the fields', () => {
  const { logger, line } = capture()
  logger.info('request settled', { eventId: 'e1', tokens: 7, big: 2n ** 60n })
  const { time, ...rest } = line()
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, {
    level: 'info',
    process: 'gateway',
    message: 'request settled',
    eventId: 'e1',
    tokens: 7,
    big: '1152921504606846976',
  })
})

test('createLogger() leaves out what is below its level', () => {
  const { logger, text } = capture({ level: 'warn' })
  logger.info('unheard')
  logger.debug('unheard')
  assert.equal(text(), '')
  logger.warn('heard')
  assert.match(text(), /heard/)
})

test('child() adds its fields to every line, masked like any other', () => {
  const { logger, line } = capture()
  logger.child({ worker: 3, apiKey: KEY }).child({ peer: '::1' }).warn('late')
  const { worker, apiKey, peer } = line()
  assert.deepEqual({ worker, apiKey, peer }, { worker: 3, apiKey: '***', peer: '::1' })
})

test('createLogger() writes an error as name, code and message chain, with the frames only of a bug', () => {
  const { logger, line } = capture()
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  logger.error('cannot start', { error: new InputError('Cannot reach the database', { cause: refused }) })
  assert.deepEqual(line()['error'], {
    name: 'InputError',
    code: 'INPUT_INVALID',
    message: 'Cannot reach the database: connect ECONNREFUSED 127.0.0.1:1',
  })
  logger.error('bug', { error: new TypeError('x is not a function') })
  const bug = line()['error'] as { name: string; stack: string }
  assert.equal(bug.name, 'TypeError')
  assert.match(bug.stack, /^at .*logger\.test\.ts/)
})

test('createLogger() masks fields whose name ends in a secret word, and no others', () => {
  const { logger, line } = capture()
  logger.info('all', {
    authorization: 'Bearer abc',
    headers: { Authorization: 'Basic abc', Cookie: 'a=b', 'x-api-key': KEY, host: 'example.test' },
    billingKey: 'v',
    server_secret: 'v',
    password: 'v',
    session_token: 12345,
    secret: new Secret('v'),
    keyId: 'public',
    promptTokens: 5,
    hasKey: true,
  })
  const { time: _, level: __, process: ___, message: ____, ...fields } = line()
  assert.deepEqual(fields, {
    authorization: '***',
    headers: { Authorization: '***', Cookie: '***', 'x-api-key': '***', host: 'example.test' },
    billingKey: '***',
    server_secret: '***',
    password: '***',
    session_token: '***',
    secret: '***',
    keyId: 'public',
    promptTokens: 5,
    hasKey: true,
  })
})

test('createLogger() masks what looks like a secret inside values, errors and nested lists', () => {
  const { logger, text } = capture()
  logger.warn('odd', {
    note: `key ${KEY} was sent`,
    list: [{ deep: 'authorization: bearer abc.def-ghi' }, 'sk-proj-abcdefgh'],
    url: 'postgres://ascribe:hunter2@db.test/x',
    map: new Map([['upstream', 'sk-0123456789']]),
    error: new Error(`upstream said ${KEY}`, { cause: new Error('Bearer zzzzzz') }),
    plain: new Secret('hunter2'),
  })
  const line = text()
  for (const secret of ['abcdefghijkl', 'abc.def', 'proj', 'hunter2', '0123456789"', 'zzzzzz'])
    assert(!line.includes(secret), `${secret} in ${line}`)
  assert.match(line, /ask_0123456789ab_\*\*\*/)
})

test('createLogger() keeps its own fields when a caller uses their names', () => {
  const { logger, line } = capture()
  logger.info('m', { level: 'x', time: 'y', message: 'z', process: 'p' })
  const { level, message, process, level_, time_, message_, process_ } = line()
  assert.deepEqual(
    { level, message, process, level_, time_, message_, process_ },
    { level: 'info', message: 'm', process: 'gateway', level_: 'x', time_: 'y', message_: 'z', process_: 'p' },
  )
})

test('createLogger() bounds what it writes: depth, items, text, bytes, circles', () => {
  const { logger, text } = capture()
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  logger.info('big', {
    circle,
    list: Array.from({ length: 100_000 }, () => 'x'),
    text: 'y'.repeat(1_000_000),
    body: Buffer.alloc(1_000_000),
    wide: Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, index])),
  })
  assert(text().length < 20_000)
})

test('createLogger() in pretty format writes one readable line that values cannot forge', () => {
  const { logger, text } = capture({ format: 'pretty' })
  logger.warn('request refused', { peer: '127.0.0.1', model: 'a b', forged: 'x\n12:00 error gateway owned\u001b[2J', counts: { a: 1 } })
  assert.match(
    text(),
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}gateway request refused peer=127\.0\.0\.1 model="a b" forged="x\\n12:00 error gateway owned\\u001b\[2J" counts=\{"a":1\}\n$/,
  )
  logger.error('cannot start', { error: new InputError('Cannot read x') })
  assert.match(text(), /error=INPUT_INVALID "Cannot read x"\n$/)
})

test('createLogger() goes on when the stream breaks', () => {
  const { logger, stream } = capture()
  stream.destroy(new Error('EPIPE'))
  logger.info('unheard')
})
