import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createRegionTable, createRemoteTokenSource } from '@ascribe/impersonation'
import type { ImpersonationError, MinterChannel, TokenSource } from '@ascribe/impersonation'
import { IMPERSONATORS, OWNER_BINDINGS } from '@ascribe/kinds'
import { NAMESPACES } from '@ascribe/kube'
import { OTHER, USER, eventually } from './controller-world.ts'
import type { ControllerWorld } from './controller-world.ts'
import { start } from './process.ts'
import type { Running } from './process.ts'

/** A management cluster, and how minter and controller come together in it. */
export type MinterWorld = AsyncDisposable & {
  readonly world: ControllerWorld
  /** Arguments of `ascribe minter`, beside its data directory. */
  readonly minterArgs: readonly string[]
  /** Where the controller is told that the minter is. */
  readonly controllerEnv: (minter: string) => Readonly<Record<string, string>>
  /** As the controller itself would ask, and free to say anything. */
  readonly channel: (minter: string) => MinterChannel
  /** As whom the controller stands in the trail. */
  readonly caller: string
  /** Fails when the controller has read the client Secret, or might have. */
  readonly assertSecretUnread: () => Promise<void>
}

const OWNERS = [
  ['team-a', USER],
  ['team-b', OTHER],
] as const
const CONTROLLER = ['--sync', '2s', '--list-grace', '1s']

/** Minting in a process of its own (H-24), with everything a process. */
export function minterSuite(open: () => Promise<MinterWorld>, { skip = false }: { readonly skip?: string | false } = {}): void {
  let at: MinterWorld
  let minter: Running & { readonly place: string }
  let data: string

  before(async () => {
    if (skip !== false) return
    at = await open()
    data = at.world.dir()
    for (const [namespace, email] of OWNERS) await at.world.owner(namespace, email)
    minter = await startOne()
  })
  after(async () => {
    await minter?.[Symbol.asyncDispose]()
    await at?.[Symbol.asyncDispose]()
  })

  async function startOne(): Promise<typeof minter> {
    const running = start(['minter', '--data', data, '--json', ...at.minterArgs])
    const line = await running.firstLine
    assert.ok(line !== undefined, running.stderr())
    const { minter: place } = JSON.parse(line) as { readonly minter: string }
    return Object.assign(running, { place })
  }

  const controller = (): ReturnType<ControllerWorld['controller']> =>
    at.world.controller(CONTROLLER, at.world.dir(), at.controllerEnv(minter.place))
  const provisioned = async (): Promise<readonly string[]> =>
    (await at.world.machines()).filter(({ status }) => status?.initialization?.provisioned === true).map(({ metadata }) => metadata.name)
  const impersonations = (): number => at.world.cloud.calls().filter(({ path }) => path.includes('impersonate')).length

  test('H-24: machines run on tokens that another process mints; the controller does not read the client Secret', { skip }, async () => {
    const { world } = at
    await using running = await controller()
    for (const [namespace] of OWNERS) await world.machine(namespace, `${namespace}-one`)
    await eventually(
      async () => (await provisioned()).length === OWNERS.length,
      () => running.stderr().slice(-4000) + minter.stderr().slice(-2000),
    )
    for (const [, email] of OWNERS)
      assert.deepEqual(
        world.servers(email).map(({ status }) => status),
        ['running'],
      )
    await at.assertSecretUnread()
    // The trail is the minter's, with the word of whoever knows who asked; the controller has none.
    const trail = readFileSync(join(data, 'audit', 'mints.jsonl'), 'utf8')
      .trim()
      .split('\n')
    const callers = new Set(trail.map((line) => (JSON.parse(line) as { readonly actor: { readonly caller?: string } }).actor.caller))
    assert.deepEqual(callers, new Set([at.caller]))
    assert.equal(existsSync(join(running.dir, 'audit', 'mints.jsonl')), false)
    for (const output of [running.stderr(), minter.stderr(), trail.join('')])
      assert.doesNotMatch(output, /kcs-secret|eyJ[A-Za-z0-9]|Bearer /)
  })

  test('H-24: whatever a caller says, there is no token for whom no live binding stands, or of another place', { skip }, async () => {
    const { world } = at
    using channel = at.channel(minter.place)
    const api = (region: string): { readonly api: string; readonly impersonate: string } => {
      const host = world.cloud.apiUrl.replace('{region}', region)
      return { api: host, impersonate: host }
    }
    const regions = createRegionTable({ entries: { zrh: api('zrh'), sjc: api('sjc'), fra: { api: 'http://127.0.0.1:1' } } })
    const sourceOf = (impersonator: string): TokenSource =>
      createRemoteTokenSource({ channel, impersonator, regions, audit: async () => {}, limits: { sweepMs: 0 } })
    using prod = sourceOf('prod')
    const { uid = '', generation = 0 } = (await world.kube.get(OWNER_BINDINGS, { name: 'team-a-owner' })).metadata
    const good = { ownerUuid: world.userOf(USER), ownerEmail: USER, region: 'zrh', bindingGeneration: `${uid}/${generation}` }
    assert.equal((await prod.token(good)).subject, good.ownerUuid)
    // The address is the binding's, whatever the caller says: a token of somebody else would be refused by both sides.
    const renamed = await prod.token({ ...good, ownerEmail: OTHER, region: 'sjc' })
    assert.equal(renamed.subject, good.ownerUuid)
    const calls = impersonations()
    const victim = world.userOf(OTHER)
    const attempts: readonly (readonly [string, object, string?])[] = [
      ['another user', { ownerUuid: victim, ownerEmail: OTHER }],
      ['a binding that does not exist', { bindingGeneration: '00000000-0000-4000-8000-000000000000/1' }],
      ['no binding at all', { bindingGeneration: 1 }],
      ['a generation that is over', { bindingGeneration: `${uid}/${generation - 1}` }],
      ['a region that the Impersonator does not have', { region: 'fra' }],
      ['another Impersonator', {}, 'another'],
    ]
    for (const [what, said, impersonator = 'prod'] of attempts) {
      // Of its own each, or the caller's own limits would say no.
      using source = sourceOf(impersonator)
      await assert.rejects(source.token({ ...good, ...said }), (error: ImpersonationError) => error.reason === 'not_authorized', what)
    }
    // Of the platform, revoked, and of another namespace's word.
    const { uid: namespaceUid = '' } = (await world.kube.get(NAMESPACES, { name: 'team-b' })).metadata
    const { spec } = await world.kube.get(OWNER_BINDINGS, { name: 'team-b-owner' })
    const brief = await world.kube.create(OWNER_BINDINGS, {
      metadata: { name: 'brief' },
      spec: { ...spec, namespaceRef: { name: 'team-b', uid: namespaceUid } },
    })
    const revoked = {
      ownerUuid: victim,
      ownerEmail: OTHER,
      region: 'zrh',
      bindingGeneration: `${brief.metadata.uid}/${brief.metadata.generation}`,
    }
    assert.equal((await prod.token(revoked)).subject, victim)
    await world.kube.delete(OWNER_BINDINGS, { name: 'brief' })
    await eventually(async () => {
      // What a caller has in memory is the caller's own policy's to end.
      using fresh = sourceOf('prod')
      const refusal = await fresh.token(revoked).then(
        () => undefined,
        (error: unknown) => error as ImpersonationError,
      )
      return refusal?.reason === 'not_authorized'
    })
    assert.ok(impersonations() - calls <= 1, 'none of the others was asked for')
  })

  test(
    'a minter that is killed and comes back: machines stay, nothing is lost, and nobody is asked for more than once each',
    { skip },
    async () => {
      const { world } = at
      await using running = await controller()
      const before = await provisioned()
      minter.kill('SIGKILL')
      await minter.exited
      const names = OWNERS.flatMap(([namespace]) => [1, 2, 3].map((index) => [namespace, `${namespace}-${index}`] as const))
      for (const [namespace, name] of names) await world.machine(namespace, name)
      await eventually(async () => {
        const waiting = (await world.machines()).filter(({ status }) =>
          status?.conditions?.some(({ type, reason }) => type === 'IdentityReady' && reason === 'OAuthUnavailable'),
        )
        return waiting.length >= names.length
      })
      assert.deepEqual((await provisioned()).toSorted(), before.toSorted(), 'what ran goes on')
      const calls = impersonations()
      minter = await startOne()
      await eventually(
        async () => (await provisioned()).length === before.length + names.length,
        () => running.stderr().slice(-4000),
      )
      assert.ok(impersonations() - calls <= 2 * OWNERS.length, `${impersonations() - calls} tokens for ${OWNERS.length} owners`)
      assert.equal(world.servers(USER).length + world.servers(OTHER).length, before.length + names.length)
      await at.assertSecretUnread()
    },
  )

  test('the last days of a trail that the controller kept before there was a minter never go untold', { skip }, async () => {
    const { world } = at
    const dir = world.dir()
    const day = { at: '2026-01-02T03:04:05.000Z', act: 'mint', outcome: 'minted', owner: world.userOf(USER), region: 'zrh', prev: '0' }
    mkdirSync(join(dir, 'audit'), { recursive: true })
    writeFileSync(join(dir, 'audit', 'mints.jsonl'), `${JSON.stringify(day)}\n`, { mode: 0o600 })
    await using _running = await world.controller(CONTROLLER, dir, at.controllerEnv(minter.place))
    await eventually(() =>
      readdirSync(join(dir, 'journal'), { recursive: true, withFileTypes: true }).some(
        (file) => file.isFile() && readFileSync(join(file.parentPath, file.name)).includes('"kind":"mint_day"'),
      ),
    )
  })

  test('an Impersonator that is gone mints nothing more, here as there', { skip }, async () => {
    const { world } = at
    const kept = await world.kube.get(IMPERSONATORS, { name: 'prod' })
    using channel = at.channel(minter.place)
    const regions = createRegionTable({ entries: { zrh: { api: world.cloud.apiUrl.replace('{region}', 'zrh') } } })
    using source = createRemoteTokenSource({ channel, impersonator: 'prod', regions, audit: async () => {}, limits: { sweepMs: 0 } })
    const { uid = '', generation = 0 } = (await world.kube.get(OWNER_BINDINGS, { name: 'team-a-owner' })).metadata
    const good = { ownerUuid: world.userOf(USER), ownerEmail: USER, region: 'zrh', bindingGeneration: `${uid}/${generation}` }
    await world.kube.delete(IMPERSONATORS, { name: 'prod' })
    await eventually(() =>
      source.token(good).then(
        (token) => (source.invalidate(token), false),
        (error: unknown) => (error as ImpersonationError).reason === 'not_authorized',
      ),
    )
    await world.kube.create(IMPERSONATORS, { metadata: { name: 'prod' }, spec: kept.spec })
  })
}
