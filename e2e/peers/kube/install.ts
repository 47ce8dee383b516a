import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installOnce } from '../support/install-once.ts'
import type { Site } from '../support/install-once.ts'
import { need } from '../support/system-packages.ts'
import type { Need } from '../support/system-packages.ts'

/** Programs of a control plane, as paths. */
export type KubeBinaries = {
  readonly etcd: string
  readonly apiserver: string
  readonly kubectl: string
  /** Without it nothing is garbage-collected, no namespace ends and no role is aggregated. */
  readonly controllerManager: string
}

/** Cluster API, as paths. */
export type ClusterApiBinaries = {
  readonly manager: string
  readonly clusterctl: string
  /** `core/config` of the same module: CRDs, rights and webhooks, so that they cannot drift apart from the manager. */
  readonly config: string
}

type Program = { readonly name: string; readonly from: string }

/** Debian's go may be old: from 1.21 on it downloads the toolchain that go.mod asks for by itself. */
const NEEDS: readonly Need[] = [{ what: 'go, 1.21 or later', probe: ['go', 'version'], debian: ['golang-go'] }]
const KUBERNETES = 'k8s.io/kubernetes'
const CLUSTER_API = 'sigs.k8s.io/cluster-api'

/**
 * Builds etcd, kube-apiserver, kubectl and kube-controller-manager from Go modules unless they are there, six minutes of processor
 * time. A folder `KUBEBUILDER_ASSETS` (etcd, kube-apiserver and kubectl, as setup-envtest makes it) takes the place of those three.
 * @throws {PeerUnavailable} with the reason
 */
export async function installKube(): Promise<KubeBinaries> {
  const assets = process.env['KUBEBUILDER_ASSETS'] ?? ''
  const chosen = { etcd: join(assets, 'etcd'), apiserver: join(assets, 'kube-apiserver'), kubectl: join(assets, 'kubectl') }
  const isThere = assets !== '' && Object.values(chosen).every((path) => existsSync(path))
  const etcd = isThere ? '' : await installEtcd()
  const kubernetes = await installKubernetes(
    isThere ? ['kube-controller-manager'] : ['kube-apiserver', 'kubectl', 'kube-controller-manager'],
  )
  return {
    ...(isThere
      ? chosen
      : { etcd: join(etcd, 'etcd'), apiserver: join(kubernetes, 'kube-apiserver'), kubectl: join(kubernetes, 'kubectl') }),
    controllerManager: join(kubernetes, 'kube-controller-manager'),
  }
}

/** Builds Cluster API's core manager and clusterctl unless they are there, a minute and a half. @throws {PeerUnavailable} */
export async function installClusterApi(): Promise<ClusterApiBinaries> {
  const dir = await installOnce({
    peer: 'cluster-api',
    recipe: recipe('cluster-api'),
    async install(site) {
      await need(site, NEEDS)
      const version = versionOf('cluster-api', CLUSTER_API)
      const at = `${CLUSTER_API}/version`
      const flags = `-s -w -X ${at}.gitVersion=${version} -X ${at}.gitTreeState=clean`
      await build(site, { folder: 'cluster-api', flags, program: { name: 'capi-manager', from: `${CLUSTER_API}/core` } })
      await build(site, { folder: 'cluster-api', flags, program: { name: 'clusterctl', from: `${CLUSTER_API}/cmd/clusterctl` } })
      // A copy: the module cache may be emptied by others.
      await site.run(
        'sh',
        [
          '-c',
          `cp -R "$(go list -mod=readonly -m -f '{{.Dir}}' ${CLUSTER_API})/core/config" "$1" && chmod -R u+w "$1"`,
          'sh',
          join(site.dir, 'config'),
        ],
        {
          cwd: join(import.meta.dirname, 'cluster-api'),
          what: "copying Cluster API's manifests",
        },
      )
    },
  })
  return { manager: join(dir, 'capi-manager'), clusterctl: join(dir, 'clusterctl'), config: join(dir, 'config') }
}

/** Builds helm unless it is there, two minutes of processor time. @throws {PeerUnavailable} */
export async function installHelm(): Promise<string> {
  const dir = await installOnce({
    peer: 'helm',
    recipe: recipe('helm'),
    async install(site) {
      await need(site, NEEDS)
      await build(site, { folder: 'helm', flags: '-s -w', program: { name: 'helm', from: 'helm.sh/helm/v3/cmd/helm' } })
    },
  })
  return join(dir, 'helm')
}

async function installEtcd(): Promise<string> {
  return installOnce({
    peer: 'etcd',
    recipe: recipe('etcd'),
    async install(site) {
      await need(site, NEEDS)
      await build(site, { folder: 'etcd', flags: '-s -w', program: { name: 'etcd', from: 'go.etcd.io/etcd/server/v3' } })
    },
  })
}

async function installKubernetes(programs: readonly string[]): Promise<string> {
  return installOnce({
    // What is built beside KUBEBUILDER_ASSETS is less: it has a folder of its own, or `ready` would tell a lie.
    peer: programs.length === 1 ? 'kube-controller-manager' : 'kubernetes',
    recipe: recipe('kubernetes'),
    async install(site) {
      await need(site, NEEDS)
      for (const name of programs)
        await build(site, { folder: 'kubernetes', flags: kubernetesFlags(), program: { name, from: `${KUBERNETES}/cmd/${name}` } })
    },
  })
}

/** Not cosmetic: without a version the server says v0.0.0-master, and Cluster API refuses to start against that. */
function kubernetesFlags(): string {
  const version = versionOf('kubernetes', KUBERNETES)
  const minor = version.split('.')[1] ?? ''
  const said = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((at) => [
    `-X ${at}.gitVersion=${version}`,
    `-X ${at}.gitMajor=1`,
    `-X ${at}.gitMinor=${minor}`,
    `-X ${at}.gitTreeState=clean`,
  ])
  return `-s -w ${said.join(' ')}`
}

async function build(
  site: Site,
  { folder, flags, program: { name, from } }: { readonly folder: string; readonly flags: string; readonly program: Program },
): Promise<void> {
  const binary = join(site.dir, name)
  // Renamed when whole: an interrupted installation goes on with the next program.
  if (existsSync(binary)) return
  site.say(`building ${name}`)
  const args = ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', flags, '-o', `${binary}.new`, from]
  await site.run('go', args, {
    cwd: join(import.meta.dirname, folder),
    env: { CGO_ENABLED: '0', GOWORK: 'off' },
    what: `building ${name}`,
  })
  await site.run('mv', [`${binary}.new`, binary], { what: `keeping ${name}` })
}

function recipe(folder: string): readonly string[] {
  return ['go.mod', 'go.sum'].map((file) => join(import.meta.dirname, folder, file))
}

function versionOf(folder: string, module: string): string {
  const text = readFileSync(join(import.meta.dirname, folder, 'go.mod'), 'utf8')
  const found = text.split('\n').find((line) => line.startsWith(`require ${module} v`))
  if (found === undefined) throw new Error(`Cannot tell the version of ${module}: ${folder}/go.mod does not require it`)
  return found.split(' ')[2] ?? ''
}
