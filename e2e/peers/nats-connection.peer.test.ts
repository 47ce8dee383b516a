import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLogger } from '@ascribe/kit'
import {
  TransportSettingError,
  TransportStreamError,
  TransportUnavailableError,
  createBatchReceiver,
  createBatchSender,
  openNats,
} from '@ascribe/transport'
import type { JournalSlice, NatsOptions } from '@ascribe/transport'
import { temporaryDir } from '../support/product.ts'
import { until } from './support/until.ts'
import { startBroker } from './nats/start.ts'
import { broker } from './support/spread-fleet.ts'

const available = await broker()
const { skip } = available
const binary = available.binary ?? ''
const SLICE: JournalSlice = {
  writer: 'w',
  from: { segment: 1, offset: 0 },
  to: { segment: 1, offset: 9 },
  entries: [{ eventId: 'e', payload: '{}' }],
}

const options = (url: string, more: Partial<NatsOptions> = {}): NatsOptions => ({ url, name: 'test', logger: silentLogger, ...more })

test('openNats() speaks TLS with a private authority and a password, and tells neither', { skip, timeout: 60_000 }, async () => {
  using dir = temporaryDir()
  const [key, cert] = [join(dir.path, 'key.pem'), join(dir.path, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject]
  execFileSync('openssl', made, { stdio: 'ignore' })
  const configuration = `tls { cert_file: "${cert}", key_file: "${key}" }\nauthorization { user: ascribe, password: "s3cret p@ss" }`
  await using peer = await startBroker({ binary, dir: dir.path, configuration })
  const host = peer.url.replace('nats://127.0.0.1', 'localhost')
  {
    await using nats = openNats(options(`tls://ascribe:${encodeURIComponent('s3cret p@ss')}@${host}`, { caFile: cert }))
    await nats.core(10_000)
    assert.ok((await createBatchSender(nats).send(SLICE, { attempt: 0 })).sequence > 0)
  }
  for (const wrong of [`tls://ascribe:wrong-secret@${host}`, `tls://${host}`]) {
    await using nats = openNats(options(wrong, { caFile: cert }))
    await assert.rejects(nats.core(1500), (error) => {
      assert.ok(error instanceof TransportUnavailableError, String(error))
      assert.doesNotMatch(error.message, /wrong-secret|s3cret/)
      return true
    })
  }
  // Nobody vouches for it.
  await using strange = openNats(options(`tls://ascribe:${encodeURIComponent('s3cret p@ss')}@${host}`))
  await assert.rejects(strange.core(1500), TransportUnavailableError)
})

test('openNats() refuses what cannot be an address, or a file that is not there, without a word of the password', { skip }, () => {
  for (const url of ['http://broker', 'nats://', '']) assert.throws(() => openNats(options(url)), TransportSettingError)
  assert.throws(
    () => openNats(options('nats://a:secret@b', { credentialsFile: '/nowhere/x.creds' })),
    (error) => error instanceof TransportSettingError && !error.message.includes('secret'),
  )
})

test('send() refuses a stream that would drop what nobody has read', { skip, timeout: 60_000 }, async () => {
  using dir = temporaryDir()
  await using peer = await startBroker({ binary, dir: dir.path })
  await using nats = openNats(options(peer.url))
  await nats.core(10_000)
  const manager = await nats.manager()
  const unsafe: readonly Record<string, unknown>[] = [
    { discard: 'old' },
    { max_age: 3_600_000_000_000 },
    { storage: 'memory' },
    { retention: 'limits' },
  ]
  for (const fault of unsafe) {
    const config = {
      name: 'ASCRIBE_USAGE',
      subjects: ['ascribe.usage.>'],
      retention: 'workqueue',
      discard: 'new',
      storage: 'file',
      ...fault,
    }
    // The broker may still be removing the files of the one before.
    await until(
      () =>
        manager.streams.add(config as never).then(
          () => true,
          () => false,
        ),
      'the broker makes the stream',
    )
    await assert.rejects(createBatchSender(nats).send(SLICE, { attempt: 0 }), TransportStreamError, JSON.stringify(fault))
    await manager.streams.delete('ASCRIBE_USAGE')
  }
  assert.ok((await createBatchSender(nats).send(SLICE, { attempt: 0 })).sequence > 0)
})

test('flexprice-584: next() goes on when the stream and its consumer vanish under it', { skip, timeout: 60_000 }, async () => {
  using dir = temporaryDir()
  await using peer = await startBroker({ binary, dir: dir.path })
  await using nats = openNats(options(peer.url))
  await nats.core(10_000)
  await using receiver = createBatchReceiver(nats)
  const sender = createBatchSender(nats)
  const stop = new AbortController()
  for (let round = 0; round < 3; round += 1) {
    const sending = (async (): Promise<void> => {
      for (;;) {
        try {
          await sender.send(SLICE, { attempt: round })
          return
        } catch (error) {
          assert.ok(error instanceof TransportUnavailableError)
        }
      }
    })()
    for (let received = 0; received === 0;) {
      try {
        for (const each of await receiver.next(stop.signal)) {
          each.ack()
          received += 1
        }
      } catch (error) {
        // Opened afresh by the next call.
        assert.ok(error instanceof TransportUnavailableError)
      }
    }
    await sending
    const manager = await nats.manager()
    if (round === 0) await manager.consumers.delete('ASCRIBE_USAGE', 'settlers')
    else await manager.streams.delete('ASCRIBE_USAGE')
  }
})

test('next() of another receiver gets what one that ended had asked for ahead', { skip, timeout: 60_000 }, async () => {
  using dir = temporaryDir()
  await using peer = await startBroker({ binary, dir: dir.path })
  await using nats = openNats(options(peer.url))
  await nats.core(10_000)
  const sender = createBatchSender(nats)
  const slices = Array.from({ length: 300 }, (_, number) => ({ ...SLICE, from: { segment: 2, offset: number } }))
  await Promise.all(slices.map((slice) => sender.send(slice, { attempt: 0 })))
  const never = new AbortController()
  let taken = 0
  {
    await using first = createBatchReceiver(nats)
    for (const each of await first.next(never.signal)) {
      each.ack()
      taken += 1
    }
  }
  assert.ok(taken > 0 && taken < slices.length)
  await using second = createBatchReceiver(nats)
  while (taken < slices.length) {
    for (const each of await second.next(never.signal)) {
      each.ack()
      taken += 1
    }
  }
  assert.equal(taken, slices.length)
})
