import assert from 'node:assert/strict'
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask, run, start } from './support/process.ts'

const docs = join(import.meta.dirname, '..', 'docs')
const guide = (name: string): Promise<string> => readFile(join(docs, 'guides', name), 'utf8')
const exampleConfig = join(docs, 'examples', 'ascribe.yaml')

/** The variables that the example names for its secrets. */
const SECRETS = {
  LEDGER_URL: 'postgresql://ledger@127.0.0.1/ledger',
  LEDGER_SERVER_SECRET: '0'.repeat(64),
  AUDIT_KEY: 'k',
  EDGE_SECRET: 'e'.repeat(32),
  BROKER_URL: 'tls://ascribe:secret@broker.internal:4222',
  PROVIDER_KEY: 'p',
  ENGINES_KEY: 'e',
  INGEST_TOKEN: 'i'.repeat(16),
  MANAGER_TOKEN: 'm',
  DIRECTORY_AUTHORIZATION: 'Bearer d',
  CLOUD_CLIENT_SECRET: 'c',
  OIDC_CLIENT_SECRET: 's',
  CLOUD_PASSWORD: 'p',
}

type Settings = Readonly<Record<string, { readonly value: string; readonly source: string; readonly env: string }>>

/** The folder keeps a configuration of whoever runs this out of the test. */
async function settingsOf(args: readonly string[]): Promise<Settings> {
  await using dir = await mkdtempDisposable(join(tmpdir(), 'ascribe-docs-'))
  const { settings } = await ask<{ settings: Settings }>(['config', '--print', '--data', dir.path, ...args], { env: SECRETS })
  return settings
}

test('docs/examples/ascribe.yaml is accepted, and sets everything that can be set', async () => {
  const settings = await settingsOf(['--config', exampleConfig])
  for (const [name, { source }] of Object.entries(settings))
    assert.ok(source.startsWith(exampleConfig), `${name} is not in the example: ${source}`)
})

test('docs/examples/prices.yaml is a price book', async () => {
  const { models } = await ask<{ models: number }>(['prices', 'check', join(docs, 'examples', 'prices.yaml')])
  assert.ok(models > 0)
})

test('docs/guides/configuration.md names every setting with its default and its variable', async () => {
  const rows = (await guide('configuration.md')).split('\n').filter((line) => line.startsWith('| `'))
  for (const [name, { value, env }] of Object.entries(await settingsOf([]))) {
    const row = rows.find((line) => line.startsWith(`| \`${name}\` |`))
    assert.ok(row, `${name} has no row`)
    assert.ok(row.includes(`| \`${env}\` |`), `${name}: the row does not name ${env}`)
    const isEmpty = value === '' || value === '[]' || value === '(not set)'
    if (!isEmpty) assert.ok(row.includes(`| \`${value}\` |`), `${name}: the row does not have the default ${value}`)
  }
})

test('docs/guides/cli.md has a paragraph for every command and subcommand, and names every option', async () => {
  const page = await guide('cli.md')
  const helpOf = async (...command: string[]): Promise<string> => (await run([...command, '--help'])).stdout
  const childrenIn = (help: string): string[] =>
    namesIn(help.split('Commands:')[1] ?? '', /^ {2}([a-z]+) /gm).filter((name) => name !== 'help')
  const commands = childrenIn(await helpOf())
  assert.ok(commands.length > 0)
  const helps = await Promise.all(commands.map(async (command) => ({ command, help: await helpOf(command) })))
  for (const { command, help } of helps) {
    const children = childrenIn(help)
    for (const child of children) assert.ok(page.includes(`**\`${command} ${child}\`**`), `${command} ${child} has no paragraph`)
    if (children.length === 0) assert.ok(page.includes(`**\`${command}\`**`), `${command} has no paragraph`)
    for (const option of namesIn(help, /^ {2}(?:-\w, )?(--[a-z-]+)/gm))
      assert.ok(page.includes(option), `${command}: ${option} is not named`)
  }
})

test('docs/guides/operating.md names every metric of a running product', async () => {
  await using dir = await mkdtempDisposable(join(tmpdir(), 'ascribe-docs-'))
  await using product = start(['up', '--json', '--port', '0', '--data', dir.path])
  const { metrics } = JSON.parse((await product.firstLine) ?? '') as { metrics: string }
  const text = await (await fetch(`${metrics}/metrics`)).text()
  const page = await guide('operating.md')
  const names = namesIn(text, /^# TYPE (\S+)/gm)
  assert.ok(names.length > 0)
  for (const name of names) assert.ok(page.includes(`\`${name}\``), `${name} is not described`)
})

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name ?? '')
}
