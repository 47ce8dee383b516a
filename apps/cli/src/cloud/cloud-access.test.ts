import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { CloudSchema, isCloudConfigured, isStaging } from '../cloud-settings.ts'
import type { CloudSettings } from '../cloud-settings.ts'
import { dataDirAt } from '../data-dir.ts'
import { loadCliConfig } from '../config.ts'
import { cloudAccessOf, regionOf } from './cloud-access.ts'

/** The settings that these variables come to. */
function cloudOf(env: Readonly<Record<string, string>>): CloudSettings {
  return loadCliConfig({ env, dir: dataDirAt('/nowhere/at/all') }).value.cloud
}

const IMPERSONATION = {
  CLOUDSIGMA_OAUTH_URL: 'https://oauth.example',
  CLOUDSIGMA_CLIENT_ID: 'kubernetes_cluster_service',
  CLOUDSIGMA_CLIENT_SECRET: 'secret',
}
const LEGACY = { CLOUDSIGMA_USERNAME: 'u', CLOUDSIGMA_PASSWORD: 'p' }
const refuses = (env: Readonly<Record<string, string>>, pattern: RegExp): void =>
  assert.throws(
    () => cloudAccessOf(cloudOf(env)),
    (error: unknown) => error instanceof InputError && pattern.test(`${error.message} ${error.hint}`),
  )

test('the founding document’s variables configure impersonation, with its defaults', () => {
  const access = cloudAccessOf(cloudOf(IMPERSONATION))
  assert.ok(access.mode === 'impersonation')
  assert.equal(access.issuer.href, 'https://oauth.example/realms/cloudsigma')
  assert.equal(access.regions.endpoint('zrh').apiUrl.href, 'https://direct.zrh.cloudsigma.com/api/2.0/')
  assert.equal(access.regions.regions, undefined)
  const named = cloudAccessOf(
    cloudOf({ ...IMPERSONATION, CLOUDSIGMA_OAUTH_REALM: 'other', CLOUDSIGMA_API_URL: 'https://{region}.api.example' }),
  )
  assert.ok(named.mode === 'impersonation')
  assert.equal(named.issuer.href, 'https://oauth.example/realms/other')
  assert.equal(named.regions.endpoint('zrh').origin, 'https://zrh.api.example')
})

test('CLOUDSIGMA_IMPERSONATION_ENABLED=false alone selects the legacy mode (H-5): neither a user name nor a missing secret does', () => {
  const legacy = cloudAccessOf(cloudOf({ ...IMPERSONATION, ...LEGACY, CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' }))
  assert.equal(legacy.mode, 'legacy')
  // one endpoint for each region and mode.
  assert.equal(legacy.regions.endpoint('zrh').origin, 'https://zrh.cloudsigma.com')
  assert.equal(cloudAccessOf(cloudOf({ ...IMPERSONATION, ...LEGACY })).mode, 'impersonation')
  refuses(LEGACY, /CLOUDSIGMA_OAUTH_URL, CLOUDSIGMA_CLIENT_ID, CLOUDSIGMA_CLIENT_SECRET_FILE .* are not set/)
  refuses({ ...IMPERSONATION, CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' }, /CLOUDSIGMA_USERNAME, CLOUDSIGMA_PASSWORD are not set/)
  assert.throws(() => cloudOf({ CLOUDSIGMA_IMPERSONATION_ENABLED: 'off' }), /CLOUDSIGMA_IMPERSONATION_ENABLED: must be a boolean/)
})

test('the file of the secret wins over the variable, and is not read until it is used', async () => {
  const access = cloudAccessOf(cloudOf({ ...IMPERSONATION, CLOUDSIGMA_CLIENT_SECRET_FILE: '/not/there' }))
  assert.ok(access.mode === 'impersonation')
  await assert.rejects(access.secret(), /\/not\/there/)
})

test('H-3: CLOUDSIGMA_REGIONS limits the template, and without it only names of regions pass', () => {
  const limited = cloudAccessOf(cloudOf({ ...IMPERSONATION, CLOUDSIGMA_REGIONS: 'zrh, sjc' })).regions
  assert.deepEqual(limited.regions, ['sjc', 'zrh'])
  assert.throws(() => limited.endpoint('fra'))
  const open = cloudAccessOf(cloudOf(IMPERSONATION)).regions
  for (const region of ['evil.example/', 'x@evil.example/', 'a.b#', 'a?', 'a\\b', 'ZRH', '', '-a'])
    assert.throws(() => open.endpoint(region), region)
  assert.throws(() => cloudOf({ CLOUDSIGMA_REGIONS: 'zrh,evil.example/' }), /CLOUDSIGMA_REGIONS: must be regions/)
})

test('regions with addresses of their own are all there are, unless others are listed', () => {
  const entries = { ASCRIBE_CLOUD_ENDPOINTS: '{ dub: { api: "https://direct.partner.example" } }' }
  const own = cloudAccessOf(cloudOf({ ...IMPERSONATION, ...entries })).regions
  assert.deepEqual(own.regions, ['dub'])
  const both = cloudAccessOf(cloudOf({ ...IMPERSONATION, ...entries, CLOUDSIGMA_REGIONS: 'zrh' })).regions
  assert.deepEqual(both.regions, ['dub', 'zrh'])
  assert.equal(both.endpoint('dub').origin, 'https://direct.partner.example')
})

test('CLOUDSIGMA_API_URL without {region} is for the one region that is named', () => {
  const url = { ...IMPERSONATION, CLOUDSIGMA_API_URL: 'http://127.0.0.2:8080' }
  refuses(url, /has no \{region\} in it/)
  refuses({ ...url, CLOUDSIGMA_REGIONS: 'zrh,sjc' }, /has no \{region\} in it/)
  assert.equal(cloudAccessOf(cloudOf({ ...url, CLOUDSIGMA_REGION: 'zrh' })).regions.endpoint('zrh').origin, 'http://127.0.0.2:8080')
})

test('H-21: plain http goes to this machine only', () => {
  refuses({ ...IMPERSONATION, CLOUDSIGMA_OAUTH_URL: 'http://oauth.example' }, /https/)
  refuses({ ...IMPERSONATION, CLOUDSIGMA_API_URL: 'http://direct.{region}.example' }, /plain http/)
  cloudAccessOf(
    cloudOf({ ...IMPERSONATION, CLOUDSIGMA_OAUTH_URL: 'http://127.0.0.1:1', CLOUDSIGMA_API_URL: 'http://direct.{region}.localhost:1' }),
  )
})

test('H-18: isStaging() knows hosts for trials by their names, and nothing else', () => {
  for (const url of [
    'https://oauth-stg.cloudsigma.com',
    'https://staging.example',
    'https://oauth.stage.example/x',
    'https://stg2.example',
  ])
    assert.equal(isStaging(url), true, url)
  for (const url of ['https://oauth.cloudsigma.com', 'https://stgallen.example', 'https://oauth.example/stg', 'nonsense'])
    assert.equal(isStaging(url), false, url)
  refuses({ ...IMPERSONATION, CLOUDSIGMA_OAUTH_URL: 'https://oauth-stg.cloudsigma.com' }, /--allow-staging/)
  cloudAccessOf(
    cloudOf({ ...IMPERSONATION, CLOUDSIGMA_OAUTH_URL: 'https://oauth-stg.cloudsigma.com', ASCRIBE_CLOUD_ALLOW_STAGING: 'true' }),
  )
})

test('regionOf() takes what was said, then the setting, then the only one there is', () => {
  const cloud = cloudOf({ ...IMPERSONATION, CLOUDSIGMA_REGIONS: 'zrh' })
  const access = cloudAccessOf(cloud)
  assert.equal(regionOf(access, 'sjc', cloud), 'sjc')
  assert.equal(regionOf(access, undefined, cloud), 'zrh')
  const two = cloudOf({ ...IMPERSONATION, CLOUDSIGMA_REGIONS: 'zrh,sjc' })
  assert.throws(() => regionOf(cloudAccessOf(two), undefined, two), /one of sjc, zrh/)
  assert.equal(regionOf(cloudAccessOf(two), undefined, { ...two, region: 'sjc' }), 'sjc')
})

test('isCloudConfigured() hears of no cloud where nobody has said a word of one', () => {
  assert.equal(isCloudConfigured(CloudSchema.parse({})), false)
  assert.equal(isCloudConfigured(cloudOf({ CLOUDSIGMA_CLIENT_ID: 'c' })), true)
  assert.equal(isCloudConfigured(cloudOf({ CLOUDSIGMA_IMPERSONATION_ENABLED: 'false' })), true)
})

test('H-15: an address with a password in it is refused without being said: settings are shown as they are', () => {
  for (const env of [
    { CLOUDSIGMA_OAUTH_URL: 'https://user:CANARY@oauth.example' },
    { CLOUDSIGMA_API_URL: 'https://CANARY@direct.{region}.example' },
    { ASCRIBE_CLOUD_ENDPOINTS: '{ zrh: { api: "https://x:CANARY@a.example" } }' },
  ])
    assert.throws(
      () => cloudOf(env),
      (error: unknown) =>
        error instanceof InputError && /must not hold a user or password/.test(error.message) && !error.message.includes('CANARY'),
    )
})

test('CLOUDSIGMA_PASSWORD_FILE names a file, as for every secret', () => {
  assert.throws(() => cloudOf({ CLOUDSIGMA_PASSWORD_FILE: '/not/there' }), /CLOUDSIGMA_PASSWORD_FILE: the file \/not\/there cannot be read/)
})
