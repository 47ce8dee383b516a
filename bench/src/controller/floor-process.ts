import { createBasicAuthenticator, createCloudSigma, serverSpecOf } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { MACHINES } from '@ascribe/kinds'
import { SECRETS, createKubeClient, createKubeConnection } from '@ascribe/kube'

// The calls that must be made for each machine, and nothing else: no cache, no plan, no journal, no lead. One JSON document as argument.

type Work = {
  readonly kubeconfig: string
  readonly perOwner: number
  readonly owners: readonly {
    readonly namespace: string
    readonly api: string
    readonly username: string
    readonly password: string
    readonly image: string
    readonly machines: readonly string[]
  }[]
}

const work = JSON.parse(process.argv[2] ?? '{}') as Work
await using connection = await createKubeConnection({ kubeconfig: work.kubeconfig })
const kube = createKubeClient(connection)
const GIB = 1024 ** 3
const start = performance.now()
await Promise.all(work.owners.flatMap(ownerWorkers))
console.log(JSON.stringify({ ms: performance.now() - start }))

function ownerWorkers({ api, username, password, namespace, image, machines }: Work['owners'][number]): Promise<void>[] {
  const url = new URL(api)
  const cloud = createCloudSigma({
    endpoint: { region: 'zrh', apiUrl: url, origin: url.origin },
    authenticator: createBasicAuthenticator({ username, password }),
  })
  const left = [...machines]
  return Array.from({ length: work.perOwner }, async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await makeMachine(cloud, { namespace, name, image })
  })
}

type Wanted = { readonly namespace: string; readonly name: string; readonly image: string }

/** Six calls of the cloud and eight of Kubernetes: those of the machine controller's own FLOOR, and the note of metering. */
async function makeMachine(cloud: CloudSigma, { namespace, name, image }: Wanted): Promise<void> {
  const key = { namespace, name }
  const annotate = (value: string): Promise<unknown> =>
    kube.patch(MACHINES, key, { patch: { type: 'merge', body: { metadata: { annotations: { bench: value } } } } })
  const show = (value: string): Promise<unknown> =>
    kube.patchStatus(MACHINES, key, { patch: { type: 'merge', body: { status: { instanceState: value } } } })
  await annotate('token')
  const { object: drive } = await cloud.libdrives.clone(image, { name: `${name}-drive`, sizeBytes: 20 * GIB })
  await annotate(drive.uuid)
  await show('cloning')
  const cloned = await cloud.drives.get(drive.uuid)
  await cloud.drives.update(drive.uuid, { name: cloned.name, sizeBytes: cloned.sizeBytes ?? 20 * GIB, meta: { token: 'x' } })
  await kube.get(SECRETS, { namespace, name: `${name}-bootstrap` })
  const { object: server } = await cloud.servers.create({
    name,
    cpuMhz: 2000,
    memBytes: 2 * GIB,
    vncPassword: 'x',
    drives: [{ drive: drive.uuid }],
    meta: { data: 'x' },
  })
  await annotate(server.uuid)
  await cloud.servers.act(server.uuid, 'start')
  await show('starting')
  serverSpecOf(await cloud.servers.get(server.uuid))
  await annotate('metered')
  await show('running')
}
