import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startMinter } from '@ascribe/controller'
import type { RunningMinter } from '@ascribe/controller'
import { coreDefinitions, runChaos, scaledClocks } from '@ascribe/controller/suites'
import type { ChaosKube, Scale } from '@ascribe/controller/suites'
import { silentLogger } from '@ascribe/kit'
import { createMeters } from '@ascribe/service'
import { kube } from './kube/available.ts'
import { applyAll, installKinds } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'
import { startBreakingProxy } from './support/breaking-proxy.ts'

// The storm of `apps/controller/test/chaos` on a real kube-apiserver with all policies: the controllers have the rights of their ServiceAccount,
// and reach the server over a wire that breaks, and a server that is killed. The scripted server's run has more kinds of faults.

const { binaries, skip } = await kube()
const SERVER_KILLS_MAX = 1

test(
  'chaos on a real API server: broken wires, kills of server and controllers, two leaders leave what was asked for, once',
  { skip, timeout: 240_000 },
  async (t) => {
    assert.ok(binaries)
    const kills = { server: 0, minter: 0 }
    const seed = Date.now() % 100_000
    const report = await runChaos({
      machines: 30,
      owners: 3,
      seconds: 8,
      factor: 3,
      seed,
      startKube: ({ scale }) => startRealKube(kills, scale),
      say: (line) => t.diagnostic(line),
    })
    t.diagnostic(JSON.stringify({ seed, ...kills, ...report }))
    assert.deepEqual(report.differences, [])
    assert.deepEqual(report.violations, [])
    assert.deepEqual(report.ranTwice, [])
    assert.deepEqual(report.leaks, [])
    assert.ok(report.looks > 50 && report.cloudCalls > 100 && report.processes >= 2)
  },
)

type Kills = { server: number; minter: number }

async function startRealKube(kills: Kills, scale: Scale): Promise<ChaosKube> {
  assert.ok(binaries)
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane({ binaries, controllerManager: true }))
  await installKinds(plane, { kdcBridge: false })
  await applyAll(plane.admin, coreDefinitions() as readonly Located[])
  const { port } = new URL(plane.url)
  const proxy = stack.use(await startBreakingProxy({ host: '127.0.0.1', port: Number(port) }))
  const { kubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-controller')
  const controllerKubeconfig = join(plane.dir, 'controller-by-proxy.kubeconfig')
  const text = readFileSync(kubeconfig, 'utf8').replaceAll(plane.url, `https://127.0.0.1:${proxy.port}`)
  writeFileSync(controllerKubeconfig, text, { mode: 0o600 })
  const minterAt = await minterOf(plane, scale)
  let minter = await minterAt.start()
  stack.defer(() => minter[Symbol.asyncDispose]())
  const held = stack.move()
  return {
    scripted: undefined,
    minter: { socketPath: minterAt.socketPath },
    kubeconfig: plane.kubeconfig,
    controllerKubeconfig,
    arm: () => ({ [Symbol.dispose]: () => proxy.refuse(false) }),
    async blow(random) {
      const which = random()
      if (which < 0.1 && kills.server < SERVER_KILLS_MAX) {
        kills.server += 1
        await plane.killServer()
        await plane.startServer()
      } else if (which < 0.2) {
        kills.minter += 1
        await minter[Symbol.asyncDispose]()
        minter = await minterAt.start()
      } else if (which < 0.6) proxy.breakAll('reset')
      else proxy.breakAll('cut')
    },
    revoke: undefined,
    everything: () => [],
    requests: () => [],
    hasRoles: true,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** The one process with the client Secret, in the time of the world; what it had cached goes with it each time. */
async function minterOf(plane: ControlPlane, scale: Scale): Promise<{ readonly socketPath: string; start(): Promise<RunningMinter> }> {
  const { kubeconfig } = await plane.asServiceAccount('ascribe-system', 'ascribe-minter')
  const socketPath = join(plane.dir, 'minter.sock')
  const listener = { host: '127.0.0.1', port: 0 }
  const settings = { kubeconfig, systemNamespace: 'ascribe-system', socketPath, health: listener, metrics: listener }
  return {
    socketPath,
    start: () =>
      startMinter(
        settings,
        { cloud: {}, audit: async () => {}, logger: silentLogger, meters: createMeters(), clocks: scaledClocks(scale) },
        { signal: new AbortController().signal },
      ),
  }
}
