import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TryLock } from '@ascribe/kit'
import { silentLogger } from '@ascribe/kit'
import { createApiKey, isApiKey } from './api-key.ts'
import { openKeyDirectory } from './key-directory.ts'
import { readPolicyFile, writePolicyFile } from './policy-file.ts'
import { formatPolicy, parsePolicy } from './policy-text.ts'
import { patchKeys } from './policy.ts'
import type { PolicyKey, PolicySnapshot } from './policy.ts'
import { ABORT_POLICIES, TERMS_SCOPES } from './terms.ts'
import { parseServerSecret, serverSecretId } from './server-secret.ts'

const free: TryLock = () => ({ [Symbol.dispose]() {} })
const OLD = Buffer.alloc(32, 1)
const NEW = Buffer.alloc(32, 2)

function place(): { readonly path: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-policy-'))
  return { path: join(folder, 'policy.json'), [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

function policyKey(fields: Partial<PolicyKey> = {}): PolicyKey {
  return { authId: 'a', publicId: 'p', hmac: 'h', organizationId: 'o', scopes: ['inference'], ...fields }
}

test('parsePolicy() reads back what formatPolicy() writes, whatever is in it', () => {
  const text = fc.string({ unit: 'binary' })
  const owner = { userId: text, groupId: text }
  const key = fc.record(
    {
      authId: text,
      publicId: text,
      hmac: text,
      organizationId: text,
      scopes: fc.subarray(['inference', 'billing:read'] as const),
      expiresAt: fc.integer(),
      ...owner,
    },
    { requiredKeys: ['authId', 'publicId', 'hmac', 'organizationId', 'scopes'] },
  )
  const terms = fc.record(
    {
      scope: fc.constantFrom(...TERMS_SCOPES),
      subject: text,
      abort: fc.constantFrom(...ABORT_POLICIES),
      drainMs: fc.nat(),
      drainBytes: fc.nat(),
      drainTokens: fc.nat(),
      maxConcurrent: fc.nat(),
    },
    { requiredKeys: ['scope', 'subject'] },
  )
  const owners = fc.dictionary(text, fc.record({ organizationId: text, groupId: text }, { requiredKeys: [] }))
  const lists = fc.record({ entries: fc.array(terms), owners })
  const deployments = fc.record({ ledger: text, version: fc.nat(), entries: fc.array(fc.dictionary(text, fc.jsonValue())) })
  const snapshot = fc.record(
    { ledger: text, version: fc.nat(), keysVersion: fc.nat(), terms: lists, deployments, keys: fc.array(key) },
    { requiredKeys: ['ledger', 'version', 'keys'] },
  )
  fc.assert(
    fc.property(snapshot, (each) => {
      const written = formatPolicy(each)
      assert.deepEqual(parsePolicy(written, 'x'), JSON.parse(JSON.stringify(each)))
      assert.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(each)), 'older programs read it as plain JSON')
    }),
  )
})

test('parsePolicy() takes snapshots of older and newer programs: fields and scopes that it does not know grant nothing', () => {
  const old = { ledger: 'one', version: 3, keys: [policyKey()] }
  assert.deepEqual(parsePolicy(JSON.stringify(old), 'x'), old)
  const newer = { ...old, moonPhase: [1], keys: [{ ...policyKey(), scopes: ['inference', 'fly:rockets'], colour: 'red' }] }
  assert.deepEqual(parsePolicy(JSON.stringify(newer), 'x').keys[0]?.scopes, ['inference'])
  const own = { scope: 'credential', subject: 'a', maxConcurrent: 3 }
  const terms = {
    entries: [
      { ...own, abort: 'haggle', mood: 1 },
      { scope: 'planet', subject: 'x' },
    ],
    owners: { b: { organizationId: 'o' } },
  }
  const read = parsePolicy(JSON.stringify({ ...old, terms }), 'x').terms
  assert.deepEqual(read, { entries: [{ ...own, mood: 1 }], owners: { b: { organizationId: 'o' } } }, 'what is known of them is in force')
  // What a deployment says is not for this program to judge: one that no gateway can use must not keep a revoked key alive.
  const deployments = { ledger: 'one', version: 1, entries: [{ of_a_newer_program: true }] }
  assert.deepEqual(parsePolicy(JSON.stringify({ ...old, deployments }), 'x').deployments, deployments)
  for (const broken of [
    { ...old, deployments: [] },
    { ...old, deployments: { ...deployments, entries: ['x'] } },
    { ...old, terms: [] },
    { ...old, terms: { entries: [{ ...own, maxConcurrent: -1 }] } },
    { ...old, terms: { entries: [{ ...own, drainMs: 'long' }] } },
    { ...old, terms: { entries: [], owners: { a: { groupId: 1 } } } },
    { ...old, keysVersion: 'x' },
    { ...old, keys: [policyKey({ expiresAt: 'soon' as unknown as number })] },
    { ...old, keys: [policyKey({ userId: 7 as unknown as string })] },
  ]) {
    assert.throws(() => parsePolicy(JSON.stringify(broken), 'x'), { code: 'POLICY_FILE_INVALID' }, JSON.stringify(broken))
  }
})

test('readPolicyFile() takes the keys over that are known, and reads them anew once they changed', () => {
  using at = place()
  const first: PolicySnapshot = { ledger: 'one', version: 1, keysVersion: 1, keys: [policyKey()] }
  writePolicyFile(at.path, first, free)
  const read = readPolicyFile(at.path)
  assert.deepEqual(read, first)
  writePolicyFile(at.path, { ...first, version: 2 }, free)
  const second = readPolicyFile(at.path, read)
  assert.deepEqual(second, { ...first, version: 2 })
  assert.equal(second?.keys, read?.keys, 'not read again')
  const terms = { entries: [{ scope: 'credential', subject: 'a', abort: 'cancel' }], owners: {} } as const
  writePolicyFile(at.path, { ...first, version: 5, terms }, free)
  const withTerms = readPolicyFile(at.path, second)
  assert.deepEqual([withTerms?.terms, withTerms?.keys === read?.keys], [terms, true], 'terms are read without the keys')
  rmSync(at.path)
  writePolicyFile(at.path, { ...first, version: 3, keysVersion: 3, keys: [policyKey({ authId: 'b' })] }, free)
  assert.equal(readPolicyFile(at.path, second)?.keys[0]?.authId, 'b')
  writePolicyFile(at.path, { ...first, ledger: 'two', keys: [] }, free)
  assert.deepEqual(readPolicyFile(at.path, second)?.keys, [], 'versions of another ledger say nothing')
})

test('writePolicyFile() mends a file whose head is whole and whose keys are not', () => {
  using at = place()
  const snapshot: PolicySnapshot = { ledger: 'one', version: 1, keysVersion: 1, keys: [policyKey()] }
  writePolicyFile(at.path, snapshot, free)
  const whole = readFileSync(at.path, 'utf8')
  writeFileSync(at.path, whole.slice(0, -10))
  assert.equal(writePolicyFile(at.path, snapshot, free), 'written')
  assert.equal(readFileSync(at.path, 'utf8'), whole)
})

test('find() lets a key in until its stated end and not one millisecond longer, though no newer snapshot comes', () => {
  using at = place()
  const made = createApiKey(OLD)
  let now = 1_000
  writePolicyFile(at.path, { ledger: 'one', version: 1, keys: [policyKey({ ...made, expiresAt: 5_000 })] }, free)
  using directory = openKeyDirectory({ path: at.path, serverSecret: OLD, logger: silentLogger, clock: () => now })
  assert.ok(directory.find(made.key))
  now = 4_999
  assert.ok(directory.find(made.key))
  now = 5_000
  assert.equal(directory.find(made.key), undefined)
})

test('find() takes the old and the new secret of one auth id while both are listed', () => {
  using at = place()
  const [before, after] = [createApiKey(OLD), createApiKey(OLD)]
  const keys = [policyKey({ ...before, expiresAt: 2_000 }), policyKey({ ...after })]
  writePolicyFile(at.path, { ledger: 'one', version: 1, keys }, free)
  let now = 1_000
  using directory = openKeyDirectory({ path: at.path, serverSecret: OLD, logger: silentLogger, clock: () => now })
  assert.deepEqual([directory.find(before.key)?.authId, directory.find(after.key)?.authId], ['a', 'a'])
  now = 2_000
  assert.deepEqual([directory.find(before.key)?.authId, directory.find(after.key)?.authId], [undefined, 'a'])
})

test('isApiKey() verifies under every listed server secret, and makes new keys under the first', () => {
  const before = createApiKey(OLD)
  assert.equal(isApiKey(before.key, before.hmac, NEW), false)
  assert.equal(isApiKey(before.key, before.hmac, [NEW, OLD]), true, 'a key outlives the rotation of the server secret')
  const after = createApiKey([NEW, OLD])
  assert.equal(after.serverSecretId, serverSecretId(NEW))
  assert.equal(isApiKey(after.key, after.hmac, NEW), true)
})

test('parseServerSecret() reads one secret or several, and says which one is wrong', () => {
  const [a, b] = [OLD.toString('hex'), NEW.toString('hex')]
  assert.deepEqual(parseServerSecret(`\n${a}\n`, 'x'), [OLD])
  assert.deepEqual(parseServerSecret(`${b}\n${a}\n`, 'x'), [NEW, OLD])
  assert.deepEqual(parseServerSecret(`${b}, ${a}`, 'x'), [NEW, OLD])
  assert.throws(() => parseServerSecret(' \n', 'x'), { code: 'SERVER_SECRET_INVALID' })
  assert.throws(() => parseServerSecret(`${a}\nshort`, 'x'), /number 2 of 2/)
  assert.throws(() => parseServerSecret(Array.from({ length: 5 }, () => a).join('\n'), 'x'), /at most 4/)
})

test('find() and readPolicyFile() know after any run of changes what the whole file says, also when they read its head alone', () => {
  using at = place()
  const authIds = ['a', 'b', 'c', 'd']
  const made = new Map(authIds.flatMap((authId) => [1, 2].map((number) => [`${authId}${number}`, { authId, ...createApiKey(OLD) }])))
  const step = fc.record({ changed: fc.subarray(authIds), present: fc.subarray([...made.keys()]), forgets: fc.boolean() })
  let ledger = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      ledger += 1
      let keys: readonly PolicyKey[] = []
      let log: { readonly version: number; readonly authIds: readonly string[] }[] = []
      let known: PolicySnapshot | undefined
      using directory = openKeyDirectory({ path: at.path, serverSecret: OLD, logger: silentLogger })
      for (const [index, { changed, present, forgets }] of steps.entries()) {
        const version = index + 1
        if (forgets) log = []
        const since = forgets ? version : (log[0]?.version ?? version) - 1
        log.push({ version, authIds: changed })
        const now = [...made]
          .filter(([name, { authId }]) => changed.includes(authId) && present.includes(name))
          .map(([, key]) => policyKey(key))
        keys = patchKeys(keys, { authIds: changed, keys: now })
        const recent = new Set(log.flatMap((each) => each.authIds))
        const changes = { since, authIds: [...recent], keys: keys.filter(({ authId }) => recent.has(authId)) }
        writePolicyFile(at.path, { ledger: `l${ledger}`, version, keysVersion: version, recent: changes, keys }, free)
        // Sometimes it sleeps through some versions.
        if (index % 3 !== 2) known = readPolicyFile(at.path, known)
        if (index % 3 !== 2) assert.deepEqual(known?.keys, keys)
        // An unknown key makes the directory look at the file.
        directory.find(createApiKey(OLD).key)
        assert.equal(directory.version, version)
        for (const { key, publicId } of made.values())
          assert.equal(
            directory.find(key) !== undefined,
            keys.some((each) => each.publicId === publicId),
          )
      }
    }),
    { numRuns: 15 },
  )
})
