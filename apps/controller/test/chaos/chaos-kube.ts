import type { WatchEnd } from '@ascribe/sandbox/kube'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import type { MinterAddress } from '../../src/process/settings.ts'
import type { Scale } from './scaled-clocks.ts'

/** An API server as the storm needs it: the scripted one, or a real one behind a wire that breaks. */
export type ChaosKube = AsyncDisposable & {
  /** Of the administrator: never met by faults. */
  readonly kubeconfig: string
  readonly controllerKubeconfig: string
  /** Faults for as long as it is held; only the controllers meet them. */
  arm(): Disposable
  /** One blow at what is open now. */
  blow(random: () => number): Promise<void>
  /** Takes a binding away. `undefined`: as anybody would. */
  readonly revoke: ((binding: string) => void) | undefined
  /** Objects of kinds that the chaos does not know itself. */
  readonly everything: () => readonly object[]
  /** What the controllers have sent, where that is known. */
  readonly requests: () => readonly { readonly plural: string; readonly body: string }[]
  /** The scripted server itself, where it is that one. */
  readonly scripted: SandboxKube | undefined
  /** Where controllers have their tokens minted; `undefined`: they mint. */
  readonly minter: MinterAddress | undefined
  /** Whether roles are looked at: then bindings need theirs. */
  readonly hasRoles: boolean
}

export type StartChaosKube = (options: { readonly now: () => Date; readonly scale: Scale }) => Promise<ChaosKube>

const WATCH_ENDS = ['end', 'reset', 'cut', 410, 429, 500, 'garbage'] as const

/** The scripted server: every fault that it knows. */
export async function startScriptedKube({ now }: { readonly now: () => Date }): Promise<ChaosKube> {
  const kube = await startSandboxKube({ now, namespaces: ['ascribe-system'] })
  return {
    scripted: kube,
    minter: undefined,
    kubeconfig: kube.kubeconfig,
    controllerKubeconfig: kube.kubeconfigOf({ name: 'controller', groups: ['system:masters'] }),
    arm: () => armFaults(kube),
    async blow(random) {
      kube.endWatches((WATCH_ENDS[Math.floor(random() * WATCH_ENDS.length)] ?? 'end') satisfies WatchEnd)
      if (random() < 0.3) kube.compact()
    },
    revoke: (binding) => kube.remove('cloudsigmaownerbindings', binding),
    everything: () => kube.everything(),
    requests: () => kube.log.filter(({ user }) => user === 'controller'),
    hasRoles: false,
    [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
  }
}

function armFaults(kube: SandboxKube): Disposable {
  const match = { user: 'controller' }
  const armed = [
    kube.fault({ match, effect: { kind: 'status', status: 500, reason: 'InternalError' }, probability: 0.02 }),
    kube.fault({ match, effect: { kind: 'status', status: 429, reason: 'TooManyRequests', retryAfterS: 1 }, probability: 0.01 }),
    kube.fault({ match, effect: { kind: 'reset' }, probability: 0.01 }),
    kube.fault({ match: { ...match, verb: ['create', 'update', 'patch', 'delete'] }, effect: { kind: 'resetAfter' }, probability: 0.02 }),
    kube.fault({ match, effect: { kind: 'delay', ms: 30 }, probability: 0.05 }),
  ]
  kube.setWatchLag(40)
  return {
    [Symbol.dispose]() {
      for (const fault of armed) fault[Symbol.dispose]()
      kube.setWatchLag(0)
    },
  }
}
