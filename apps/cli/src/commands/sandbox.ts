import type { Command } from 'commander'
import type { Finish } from '../finish.ts'
import type { Surroundings } from '../surroundings.ts'
import { addSandboxCloud } from './sandbox-cloud.ts'
import { addSandboxIssuer } from './sandbox-issuer.ts'
import { addSandboxTeleport } from './sandbox-teleport.ts'

/** `ascribe sandbox …`: what cannot be had at home, each part usable on its own. */
export function configureSandbox(sandbox: Command, surroundings: Surroundings, finish: Finish): void {
  addSandboxCloud(sandbox, surroundings, finish)
  addSandboxIssuer(sandbox, surroundings, finish)
  addSandboxTeleport(sandbox, surroundings, finish)
}
