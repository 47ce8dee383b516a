import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { checkRedirectTarget, matchOrigin, organization32, parseAppHost, parseOriginPattern } from '@ascribe/identity/view-as'
import { ledgerMigrations } from '@ascribe/ledger'
import { testDatabase } from '@ascribe/postgres/testing'
import { parseTeleportApp } from '@ascribe/sandbox/teleport'
import { run, start } from './support/process.ts'

// What deploy/teleport says is read by the code that it is for.

const FOLDER = join(import.meta.dirname, '..', 'deploy', 'teleport')
const text = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')
const resource = (name: string): unknown => parse(text(name))
const SUFFIX = '.teleport.example.com'

/** The value of an option in the README's command. */
function option(name: string): string {
  const [, quoted, bare] = new RegExp(`--${name} (?:'([^']*)'|(\\S+))`).exec(text('README.md')) ?? []
  return quoted ?? bare ?? ''
}

test('deploy/teleport: the API app sends roles, and is the audience that the listener is told', () => {
  const app = parseTeleportApp(resource('app-global-api.yaml'))
  assert.equal(app.jwtClaims, 'roles')
  assert.equal(option('teleport-audience'), app.uri)
  assert.equal(`global-api${SUFFIX}`, app.publicAddr)
  assert.equal(option('teleport-jwks'), `https://${option('teleport-issuer')}/.well-known/jwks.json`)
})

test('deploy/teleport: preflights name every header that a console may send or read, never a wildcard, which credentials make literal', () => {
  const { cors } = parseTeleportApp(resource('app-global-api.yaml'))
  assert.ok(cors?.allowCredentials)
  assert.ok(cors.allowedHeaders.includes('X-Materialize-Organization-Id'))
  assert.deepEqual(cors.exposedHeaders, ['X-Request-Id', 'X-Acting-As', 'X-Acting-Expires', 'Content-Disposition'])
  assert.equal([...cors.allowedOrigins, ...cors.allowedHeaders, ...cors.allowedMethods].includes('*'), false)
})

test("deploy/teleport: the environment's host names an organization, its origin is on the list, and a launch signs in to the API first", () => {
  const environment = parseTeleportApp(resource('app-environment.yaml'))
  const api = parseTeleportApp(resource('app-global-api.yaml'))
  assert.deepEqual(environment.requiredApps, [api.name])
  const host = parseAppHost(environment.publicAddr, [SUFFIX])
  assert.equal(host?.organizationId, '9e8b1bc8-fa08-4870-a21f-22ac01cc3808')
  const origin = `https://${environment.publicAddr}`
  const patterns = [parseOriginPattern(option('allow-origin'))]
  assert.deepEqual(matchOrigin(patterns, origin), { origin, organizationId: host.organizationId })
  assert.deepEqual(api.cors?.allowedOrigins, [origin])
})

test('deploy/teleport: the role that is granted is the role that the listener asks for, and reaches both apps', () => {
  const role = resource('role-billing-viewer.yaml') as { metadata: { name: string }; spec: { allow: { app_labels: { app: string[] } } } }
  assert.equal(role.metadata.name, option('viewer-role'))
  const labels = ['app-global-api.yaml', 'app-environment.yaml'].map(
    (name) => (resource(name) as { metadata: { labels: { app: string } } }).metadata.labels.app,
  )
  assert.deepEqual(role.spec.allow.app_labels.app, labels)
})

test('deploy/teleport: the sandbox Teleport runs the resources as they are, and refuses what is none', async () => {
  const resources = ['app-global-api.yaml', 'app-environment.yaml'].flatMap((name) => ['--resource', join(FOLDER, name)])
  const cluster = ['--cluster', 'teleport.example.com', '--forward', 'ascribe-global-api=http://127.0.0.1:9']
  await using teleport = start(['sandbox', 'teleport', '--json', ...resources, ...cluster])
  const { issuer, apps } = JSON.parse((await teleport.firstLine) ?? '') as { issuer: string; apps: { name: string; audience: string }[] }
  assert.equal(issuer, option('teleport-issuer'))
  assert.deepEqual(apps.find(({ name }) => name === 'ascribe-global-api')?.audience, option('teleport-audience'))
  const wrong = await run(['sandbox', 'teleport', '--resource', join(FOLDER, 'role-billing-viewer.yaml')])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /kind is "role", not "app"/)
})

test('deploy/teleport: each option that the README and the guide name for the listener is an option of `ascribe api`', async () => {
  const { stdout: help } = await run(['api', '--help'])
  const guide = readFileSync(join(FOLDER, '..', '..', 'docs', 'guides', 'teleport.md'), 'utf8')
  const [, command = ''] = /ascribe api ([\s\S]*?)\n\n/.exec(text('README.md')) ?? []
  const table = guide.split('\n').flatMap((line) => /^\| `(--[a-z-]+)` \|/.exec(line)?.[1] ?? [])
  const options = [...command.matchAll(/--[a-z-]+/g)].map(([name]) => name)
  assert.equal(options.length, 5)
  assert.equal(table.length, 5)
  for (const name of [...options, ...table]) assert.ok(help.includes(`${name} `), name)
})

type Dashboard = {
  readonly panels: readonly {
    readonly targets: readonly { readonly rawSql: string }[]
    readonly fieldConfig: {
      readonly overrides: readonly { readonly properties: readonly { readonly id: string; readonly value: unknown }[] }[]
    }
  }[]
}

test("deploy/teleport: the dashboard's query finds organizations by name or id, and its link is one that /redirect takes", async () => {
  await using db = await testDatabase({ migrations: await ledgerMigrations() })
  const [panel] = (JSON.parse(text('grafana-organizations.json')) as Dashboard).panels
  const { rows: made } = await db.query<{ organization_id: string }>(
    `insert into organization (name) values ('Acme'), ('Other') returning organization_id`,
  )
  const [acme = ''] = made.map(({ organization_id: id }) => id)
  const find = async (search: string): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    // What Grafana's `sqlstring` makes of the text box: a quoted literal.
    const literal = `'${search.replaceAll("'", "''")}'`
    return (await db.query(panel?.targets[0]?.rawSql.replaceAll('${search:sqlstring}', literal) ?? '')).rows
  }
  assert.deepEqual(await find('acm'), [{ name: 'Acme', id: acme, org32: organization32(acme) }])
  assert.deepEqual(
    (await find(acme.toUpperCase())).map(({ name }) => name),
    ['Acme'],
  )
  assert.deepEqual(await find("' or true --"), [])
  const properties = panel?.fieldConfig.overrides.flatMap((override) => override.properties) ?? []
  const links = properties.find(({ id }) => id === 'links')?.value as readonly { readonly url: string }[] | undefined
  const url = new URL(links?.[0]?.url.replaceAll('${__data.fields.org32}', organization32(acme)) ?? '')
  assert.equal(url.host, parseTeleportApp(resource('app-global-api.yaml')).publicAddr)
  assert.equal(url.pathname, '/redirect')
  const target = checkRedirectTarget(url.searchParams.get('to'), [parseOriginPattern(option('allow-origin'))])
  assert.deepEqual(target, {
    kind: 'redirect',
    location: `https://aws-us-east-1-${organization32(acme)}-0${SUFFIX}/internal-console/`,
    organizationId: acme,
  })
})
