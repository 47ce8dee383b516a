import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { SandboxEngine } from '@ascribe/sandbox'
import { run } from './support/process.ts'

// What scripts rely on: the exit codes of `ascribe conformance`, its one JSON object, and that a credential shows nowhere.

let engine: SandboxEngine
before(async () => {
  engine = await startEngine({ apiKey: 'sesame-4711' })
})
after(() => engine.close())

const CREDENTIAL = ['--credential-env', 'ENGINE_KEY', '--only', 'chat,chat-stream']
const env = { ENGINE_KEY: 'sesame-4711' }

test('0 for an engine that says what it does, 3 for one that does not, with what its route should say', async () => {
  const fine = await run(['conformance', engine.url, ...CREDENTIAL], { env })
  assert.equal(fine.code, 0, fine.stderr)
  assert.match(fine.stdout, /No faults found/)
  engine.setFaults({ style: 'python' })
  const faulty = await run(['conformance', `${engine.url}/v1`, '--json', ...CREDENTIAL], { env })
  engine.setFaults({})
  assert.equal(faulty.code, 3)
  const { faults, settings, findings } = JSON.parse(faulty.stdout) as {
    faults: number
    settings: unknown
    findings: { capability: string; verdict: string }[]
  }
  assert.deepEqual([faults, settings], [1, { silent_streams: 'tokenize' }])
  assert.equal(findings.find(({ capability }) => capability === 'chat-stream')?.verdict, 'silent')
  for (const { stdout, stderr } of [fine, faulty]) assert.ok(!`${stdout}${stderr}`.includes('sesame'))
})

test('1 for an engine that cannot be asked, or of which nothing can be told', async () => {
  const gone = await startEngine()
  await gone.close()
  const nobody = await run(['conformance', gone.url])
  assert.equal(nobody.code, 1)
  assert.match(nobody.stderr, /Cannot check the engine at http/)
  engine.setFaults({ status: 500 })
  const broken = await run(['conformance', engine.url, ...CREDENTIAL], { env })
  engine.setFaults({})
  assert.equal(broken.code, 1)
  assert.match(broken.stdout, /Nothing could be told/)
})

test('2 for a call that is wrong: no such check, no such variable, a credential that is not taken, no URL', async () => {
  const calls: readonly (readonly [readonly string[], RegExp])[] = [
    [['conformance', engine.url, '--only', 'chta'], /Did you mean chat/],
    [['conformance', engine.url, '--credential-env', 'NO_SUCH_VARIABLE'], /no such variable/],
    [['conformance', engine.url], /--credential-env/],
    [['conformance', 'engine'], /not an http or https URL/],
  ]
  for (const [args, says] of calls) {
    const { code, stderr } = await run(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, says)
  }
})
