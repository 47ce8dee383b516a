import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { InputError } from '@ascribe/kit'
import type { KubeClient, KubeConnection, ObjectKey } from '@ascribe/kube'
import { annotationOf, recordedDrives, recordedServer } from '../machine/marks.ts'
import { pinOf } from '../machine/run.ts'

export type AbandonRequest = {
  readonly kube: KubeClient
  readonly key: ObjectKey
  /** The user name that the API server knows us by. */ readonly by: string
}

/** How far the giving up of a machine is, and what it leaves. */
export type AbandonReport = {
  readonly machine: string
  readonly state: 'asked' | 'agreed' | 'withdrawn'
  readonly askedBy?: string
  readonly agreedBy?: string
  readonly reason?: string
  /** What goes on being billed, to whom. */
  readonly leaves: { readonly account?: string; readonly server?: string; readonly drives: readonly string[] }
}

/** First person: asks. @throws {InputError} where it is not being deleted, or nothing says why */
export async function askAbandon({ kube, key, by }: AbandonRequest, reason: string): Promise<AbandonReport> {
  const machine = await kube.get(MACHINES, key)
  if (reason.trim().length < REASON_MIN)
    throw new InputError('Cannot ask to abandon: say why, in a sentence that will still be understood next year (--reason)')
  if (machine.metadata.deletionTimestamp === undefined)
    throw new InputError(
      'Cannot ask to abandon: the machine is not being deleted. Delete its Machine first; only a deletion that is blocked is abandoned',
    )
  if (annotationOf(machine, ANNOTATIONS.abandonApproved) !== undefined)
    throw new InputError('Cannot ask to abandon: it was agreed to already')
  return report(
    await write(kube, machine, { [ANNOTATIONS.abandon]: by, [ANNOTATIONS.abandonReason]: reason.trim().slice(0, REASON_MAX) }),
    'asked',
  )
}

/** Second person: agrees. The API server's policy checks both names; this only says it in plain words. @throws {InputError} */
export async function agreeToAbandon({ kube, key, by }: AbandonRequest): Promise<AbandonReport> {
  const machine = await kube.get(MACHINES, key)
  const askedBy = annotationOf(machine, ANNOTATIONS.abandon)
  if (askedBy === undefined) throw new InputError('Cannot agree: nobody asked to abandon this machine')
  if (askedBy === by) throw new InputError(`Cannot agree: ${by} asked for it. Another person has to agree`)
  return report(await write(kube, machine, { [ANNOTATIONS.abandonApproved]: by }), 'agreed')
}

export async function withdrawAbandon({ kube, key }: AbandonRequest): Promise<AbandonReport> {
  const machine = await kube.get(MACHINES, key)
  const marks = [ANNOTATIONS.abandonApproved, ANNOTATIONS.abandon, ANNOTATIONS.abandonReason]
  return report(await write(kube, machine, Object.fromEntries(marks.map((each) => [each, null]))), 'withdrawn')
}

const REASON_MIN = 10
const REASON_MAX = 500

async function write(
  kube: KubeClient,
  machine: CloudSigmaMachine,
  annotations: Readonly<Record<string, string | null>>,
): Promise<CloudSigmaMachine> {
  const { namespace = '', name, uid, resourceVersion } = machine.metadata
  return kube.patch(
    MACHINES,
    { namespace, name },
    { patch: { type: 'merge', body: { metadata: { uid, resourceVersion, annotations } } }, fieldManager: 'ascribe-abandon' },
  )
}

function report(machine: CloudSigmaMachine, state: AbandonReport['state']): AbandonReport {
  const pin = pinOf(machine)
  const server = recordedServer(machine)
  const [askedBy, agreedBy, reason] = [ANNOTATIONS.abandon, ANNOTATIONS.abandonApproved, ANNOTATIONS.abandonReason].map((each) =>
    annotationOf(machine, each),
  )
  return {
    machine: `${machine.metadata.namespace ?? ''}/${machine.metadata.name}`,
    state,
    ...(askedBy !== undefined && { askedBy }),
    ...(agreedBy !== undefined && { agreedBy }),
    ...(reason !== undefined && { reason }),
    leaves: {
      ...(pin !== undefined && { account: `${pin.kind} ${pin.userUUID} in ${pin.region}` }),
      ...(server !== undefined && { server }),
      drives: recordedDrives(machine).flatMap((each) => each ?? []),
    },
  }
}

/** Who the API server takes us for (authentication.k8s.io/v1 SelfSubjectReview). */
export async function whoAmI(connection: KubeConnection): Promise<string> {
  const { body } = await connection.send({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    operation: 'ask who we are',
  })
  const { status } = body as { readonly status?: { readonly userInfo?: { readonly username?: string } } }
  const name = status?.userInfo?.username
  if (name === undefined || name === '')
    throw new InputError('Cannot tell who you are: the API server gives no user name for this kubeconfig')
  return name
}
