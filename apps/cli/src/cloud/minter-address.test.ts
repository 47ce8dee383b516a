import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { loadCliConfig } from '../config.ts'
import { dataDirAt } from '../data-dir.ts'
import { controllerCloudOf } from './controller-cloud.ts'
import { minterAddressOf } from './minter-address.ts'

const cloudOf = (env: Readonly<Record<string, string>>): Parameters<typeof minterAddressOf>[0] =>
  loadCliConfig({ env, dir: dataDirAt('/nowhere/at/all') }).value.cloud
const URL_OF = { CLOUDSIGMA_MINTER_URL: 'https://ascribe-minter.ascribe-system.svc' }

test('H-24: a process that is told of a minter has no client secret, and starts with neither half of it', () => {
  assert.equal(minterAddressOf(cloudOf({})), undefined)
  assert.deepEqual(minterAddressOf(cloudOf({ CLOUDSIGMA_MINTER_SOCKET: '/run/m.sock' })), { socketPath: '/run/m.sock' })
  const token = { CLOUDSIGMA_MINTER_TOKEN_FILE: '/run/token' }
  assert.deepEqual(minterAddressOf(cloudOf({ ...URL_OF, ...token })), { url: URL_OF.CLOUDSIGMA_MINTER_URL, tokenFile: '/run/token' })
  for (const [env, words] of [
    [{ ...URL_OF, ...token, CLOUDSIGMA_CLIENT_SECRET: 's' }, /the minter alone should have/],
    [{ CLOUDSIGMA_MINTER_SOCKET: '/s', CLOUDSIGMA_CLIENT_SECRET_FILE: '/f' }, /the minter alone should have/],
    [{ ...URL_OF, ...token, CLOUDSIGMA_MINTER_SOCKET: '/s' }, /two minters/],
    [{ CLOUDSIGMA_MINTER_URL: 'http://minter', ...token }, /no https address/],
    [URL_OF, /CLOUDSIGMA_MINTER_TOKEN_FILE is not set/],
  ] as const)
    assert.throws(
      () => minterAddressOf(cloudOf(env)),
      (error: unknown) => error instanceof InputError && words.test(error.message),
    )
})

test('what the environment names is reached by its own table, also where the client is the minter’s', () => {
  const env = { CLOUDSIGMA_MINTER_SOCKET: '/s', CLOUDSIGMA_OAUTH_URL: 'https://oauth.example', CLOUDSIGMA_REGIONS: 'zrh' }
  const { environment, minter } = controllerCloudOf(cloudOf(env), { allowStaging: false })
  assert.deepEqual(minter, { socketPath: '/s' })
  assert.deepEqual(Object.keys(environment ?? {}), ['regions'])
  assert.deepEqual(environment?.regions.regions, ['zrh'])
  assert.equal(controllerCloudOf(cloudOf({ CLOUDSIGMA_MINTER_SOCKET: '/s' }), { allowStaging: false }).environment, undefined)
})
