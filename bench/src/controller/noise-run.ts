import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { scriptedOf } from '@ascribe/controller/chaos'
import { addMachines, countReady, startControllerProcess, startWorld, until } from './controller-world.ts'

export type Noise = { readonly aloneMs: number; readonly besideMs: number; readonly quietMachines: number; readonly noisyMachines: number }

const LIMIT_MS = 300_000
const SLOW_MS = 2000
const CONCURRENCY = 16

/** How long a quiet owner waits for his machines: alone, and beside one whose hundreds of machines have calls that take seconds. */
export async function measureNoise({ quick, scratch }: { readonly quick: boolean; readonly scratch: string }): Promise<Noise> {
  const quietMachines = 20
  const noisyMachines = quick ? 60 : 300
  const times: number[] = []
  for (const noisy of [0, noisyMachines]) {
    await using world = await startWorld(2)
    const [quiet, loud] = world.owners
    if (quiet === undefined || loud === undefined) throw new Error('The world has two owners')
    const dir = mkdtempSync(join(scratch, 'noise-'))
    await using _controller = await startControllerProcess(world, { dir, concurrency: CONCURRENCY })
    await until(
      () =>
        scriptedOf(world)
          .list('cloudsigmaclusters')
          .every((cluster) => JSON.stringify(cluster['status'] ?? {}).includes('"provisioned":true')),
      LIMIT_MS,
    )
    world.cloud.addFault({ match: { step: 'api', user: loud.email }, does: { delayMs: SLOW_MS } })
    await addMachines(world, loud, noisy)
    const adding = addMachines(world, quiet, quietMachines)
    times.push(await until(() => countReady(world, quiet.namespace) === quietMachines, LIMIT_MS))
    await adding
  }
  const [aloneMs = Number.NaN, besideMs = Number.NaN] = times
  return { aloneMs, besideMs, quietMachines, noisyMachines }
}
