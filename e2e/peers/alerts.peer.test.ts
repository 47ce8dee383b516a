import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempDisposableSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promtool } from './prometheus/install.ts'

// The alert rules that ship, against the promtool that users' Prometheus brings: they load, and they fire when they should and only then.

const available = await promtool()
const { skip } = available
const alerts = join(import.meta.dirname, '..', '..', 'deploy', 'alerts')

function run(cwd: string, ...args: string[]): { readonly status: number | null; readonly output: string } {
  if (available.skip !== false) throw new Error(available.skip)
  const { status, stdout, stderr } = spawnSync(available.path, args, { cwd, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

for (const file of readdirSync(alerts).filter((name) => name.endsWith('.rules.yaml'))) {
  test(`promtool loads deploy/alerts/${file}`, { skip }, () => {
    const { status, output } = run(alerts, 'check', 'rules', file)
    assert.equal(status, 0, output)
    assert.match(output, /SUCCESS: \d+ rules found/)
  })

  const tests = file.replace('.rules.', '.test.')
  test(`every alert of deploy/alerts/${file} fires and stays quiet as ${tests} says`, { skip }, () => {
    const { status, output } = run(alerts, 'test', 'rules', tests)
    assert.equal(status, 0, output)
  })

  test(`every alert of deploy/alerts/${file} is shown to fire, and to stay quiet`, () => {
    const names = [...readFileSync(join(alerts, file), 'utf8').matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name ?? '')
    const cases = readFileSync(join(alerts, tests), 'utf8')
    assert.ok(names.length > 0)
    for (const name of names) {
      assert.match(cases, new RegExp(`alertname: ${name}\\n +exp_alerts:`), `${name} is never expected to fire`)
      assert.match(cases, new RegExp(`alertname: ${name} }`), `${name} is never expected to stay quiet`)
    }
  })
}

test('promtool finds an alert that does not fire: the tests can fail', { skip }, () => {
  using scratch = mkdtempDisposableSync(join(tmpdir(), 'ascribe-alerts-'))
  const rules = readFileSync(join(alerts, 'impersonation.rules.yaml'), 'utf8')
  writeFileSync(join(scratch.path, 'impersonation.rules.yaml'), rules.replaceAll('< 10\n', '< 1\n').replaceAll('> 0.2\n', '> 0.9\n'))
  writeFileSync(join(scratch.path, 'impersonation.test.yaml'), readFileSync(join(alerts, 'impersonation.test.yaml')))
  const { status, output } = run(scratch.path, 'test', 'rules', 'impersonation.test.yaml')
  assert.equal(status, 1, output)
  assert.match(output, /AscribeTokensRunOut/)
})
