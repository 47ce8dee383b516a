import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { RouteSchema, routesOf } from './route-settings.ts'

const route = (fields: object): ReturnType<typeof routesOf>[number] | undefined =>
  routesOf({ routes: [RouteSchema.parse({ id: 'r', upstream: 'http://engine:8000', ...fields })], credentials: {} })[0]

test('routesOf(): silent_streams is estimate unless it is said, and then nothing is looked up for a request', () => {
  assert.equal(route({})?.silentStreams, undefined)
  for (const silent of ['tokenize', 'refuse'] as const) assert.equal(route({ silent_streams: silent })?.silentStreams, silent)
  assert.throws(() => route({ silent_streams: 'guess' }))
})

test('routesOf(): a tokenizer that could not be asked is refused, and not found out at the first stream', () => {
  assert.throws(
    () => route({ silent_streams: 'tokenize', ca_file: import.meta.filename }),
    (error) => error instanceof InputError && error.message.includes('ca_file'),
  )
})
