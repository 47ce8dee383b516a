import assert from 'node:assert/strict'
import { mkdtempDisposable, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileSecret } from '../src/client-secret.ts'
import type { ClientSecret } from '../src/client-secret.ts'
import { ClientRefusedError, ClientSecretError } from '../src/errors.ts'
import { SealedText } from '../src/sealed-text.ts'
import { settle } from './support/fake-clock.ts'
import { createWorld, ownerOf, refusalOf } from './support/world.ts'

const secretOf = (text: string): ClientSecret => ({ value: new SealedText(text), version: text })
const wrongSecret = (): Error => new ClientRefusedError('refused', { step: 'service_token', reason: 'client_refused', status: 401 })

test('fileSecret() reads a mounted secret again when it is swapped, as Kubernetes does it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-secret-'))
  const at = (name: string): string => join(folder.path, name)
  await writeFile(at('one'), 'first\n')
  await writeFile(at('two'), 'second')
  await symlink('one', at('secret'))
  const read = fileSecret(at('secret'))
  const first = await read()
  assert.equal(first.value.reveal(), 'first')
  assert.equal(await read(), first)
  await symlink('two', at('swap'))
  await rename(at('swap'), at('secret'))
  const second = await read()
  assert.equal(second.value.reveal(), 'second')
  assert.notEqual(second.version, first.version)
})

test('fileSecret() says where it looked, and takes neither nothing nor too much for a secret', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-secret-'))
  const path = join(folder.path, 'secret')
  await assert.rejects(fileSecret(path)(), (error) => error instanceof ClientSecretError && error.message.endsWith(`from ${path}: ENOENT`))
  await writeFile(path, '\n')
  await assert.rejects(fileSecret(path)(), /it is empty/)
  await writeFile(path, 'canary'.repeat(10_000))
  await assert.rejects(
    fileSecret(path)(),
    (error: Error) => /more than 8192 bytes/.test(error.message) && !error.message.includes('canary'),
  )
})

test('a rotated secret empties the cache within seconds, and nobody gets a token of the old one (1.1 rule 1)', async () => {
  let secret = secretOf('old')
  const { source, steps, clock, meters } = createWorld({ secret: async () => secret })
  const old = await source.token(ownerOf(1))
  secret = secretOf('new')
  clock.advance(10_000)
  // This one starts the look at the file.
  await source.token(ownerOf(1))
  await settle()
  assert.throws(() => old.authorization(old.origin), /dropped/)
  assert.equal(meters.value('ascribe_token_cache_evictions_total{reason=rotated}'), 1)
  await source.token(ownerOf(1))
  assert.deepEqual(
    steps.calls.filter(({ step }) => step === 'service_token').map(({ text }) => text),
    ['old', 'new'],
  )
})

test('a secret that was refused is read once more, and a new one is used at once', async () => {
  let reads = 0
  const { source, steps } = createWorld({ secret: async () => secretOf((reads += 1) === 1 ? 'old' : reads === 2 ? 'old' : 'new') })
  steps.before = (step) => {
    if (step === 'service_token' && steps.calls.at(-1)?.text === 'old') throw wrongSecret()
  }
  await source.token(ownerOf(1))
  assert.deepEqual(
    steps.calls.filter(({ step }) => step === 'service_token').map(({ text }) => text),
    ['old', 'new'],
  )
})

test('a secret that stays refused is asked for once, and the refusal ends when another one is there (capo-2097, caph-1888)', async () => {
  let secret = secretOf('wrong')
  const { source, steps, clock } = createWorld({ secret: async () => secret })
  steps.before = (step) => {
    if (step === 'service_token' && steps.calls.at(-1)?.text === 'wrong') throw wrongSecret()
  }
  await refusalOf(source.token(ownerOf(1)), 'client_refused')
  await refusalOf(source.token(ownerOf(2)), 'client_refused')
  assert.equal(steps.count('service_token'), 1)
  secret = secretOf('right')
  clock.advance(10_000)
  await source.token(ownerOf(3)).catch(() => {})
  await settle()
  await source.token(ownerOf(4))
})

test('rotation while a token is being minted: it goes to who waits, and not into the cache', async () => {
  let secret = secretOf('old')
  const { source, steps, clock } = createWorld({ secret: async () => secret })
  await source.token(ownerOf(9))
  const gate = Promise.withResolvers<void>()
  steps.before = (step) => (step === 'impersonate' ? gate.promise : undefined)
  const waiting = source.token(ownerOf(1))
  await settle()
  secret = secretOf('new')
  clock.advance(10_000)
  await source.token(ownerOf(9))
  await settle()
  const after = source.token(ownerOf(1))
  gate.resolve()
  const [first, second] = await Promise.all([waiting, after])
  assert.notEqual(first, second)
  assert.equal(await source.token(ownerOf(1)), second)
})

test('a secret that cannot be read any more stays in use; without any, nothing is sent', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-secret-'))
  const path = join(folder.path, 'secret')
  const { source, steps, clock, meters } = createWorld({ secret: fileSecret(path) })
  const missing = await refusalOf(source.token(ownerOf(1)), 'secret_unreadable')
  assert.deepEqual([missing.retryable, steps.calls.length], [true, 0])
  assert.equal(meters.value('ascribe_impersonation_denied_total{reason=secret_unreadable}'), 1)
  await writeFile(path, 's3cret')
  await source.token(ownerOf(1))
  await unlink(path)
  clock.advance(600_000)
  await source.token(ownerOf(1))
  assert.equal(steps.count('service_token'), 2)
})
