import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMinterChannel } from '@ascribe/impersonation'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { openControllerWorld } from './support/controller-world.ts'
import { minterSuite } from './support/minter-suite.ts'

// Minter and controller as two processes of one machine, by a socket, on the scripted API server.

minterSuite(async () => {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-minter-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'minter.sock')
  const kube = stack.use(await startSandboxKube())
  const of = (name: string): string => kube.kubeconfigOf({ name, groups: ['system:masters'] })
  const world = stack.use(
    await openControllerWorld(async () => ({
      kubeconfig: kube.kubeconfig,
      controllerKubeconfig: of('controller'),
      async [Symbol.asyncDispose]() {},
    })),
  )
  const held = stack.move()
  return {
    world,
    minterArgs: ['--kubeconfig', of('minter'), '--socket', socket],
    controllerEnv: (minter) => ({ CLOUDSIGMA_MINTER_SOCKET: minter }),
    channel: (minter) => createMinterChannel({ socketPath: minter }),
    caller: 'socket',
    async assertSecretUnread() {
      const readers = kube.log.filter(({ name, verb }) => name === 'cloudsigma-impersonation' && verb === 'get').map(({ user }) => user)
      assert.ok(readers.includes('minter') && !readers.includes('controller'), [...new Set(readers)].join())
      assert.equal(statSync(socket).mode & 0o777, 0o600)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
})
