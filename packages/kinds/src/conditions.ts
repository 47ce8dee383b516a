/** Types of conditions, and what `True` means. */
export const CONDITIONS = {
  Ready: 'Everything is as it should be. Sums up the others, while it is made, while it runs and while it is deleted.',
  IdentityReady: 'The account may be used, and the cloud says that it is the one that was chosen. `Unknown` while nobody can tell.',
  ServerReady: 'The server stands and runs.',
  NetworkReady: 'The VLAN of the cluster is there and may be used. Absent where none is named.',
  Paused: 'Nothing is done, deletion included.',
  Deleting: 'It is being deleted; the message says what still stands.',
  UsingPlatformAccount: "It stands in the platform's account, as an administrator chose. Absent otherwise.",
} as const

export type ConditionType = keyof typeof CONDITIONS

/** Of the interface: never renamed. */
export type StableReason =
  | 'OwnerNotAuthorized'
  | 'OwnerMismatch'
  | 'OwnerNotFound'
  | 'OwnerSuspended'
  | 'RegionNotAllowed'
  | 'ServiceAccountRejected'
  | 'ImpersonationForbidden'
  | 'OAuthUnavailable'
  | 'ServerNotAccessible'
  | 'ServerNotFound'
  | 'DeletionBlocked'
  | 'InsufficientFunds'
  | 'InsufficientCapacity'
  | 'QuotaExceeded'
  | 'InvalidSpec'
  | 'ImageNotAllowed'
  | 'Paused'

/** Of one step, and gone with it. */
export type WaitingReason =
  | 'WaitingForAccount'
  | 'WaitingForAddress'
  | 'WaitingForAudit'
  | 'WaitingForBinding'
  | 'WaitingForBootstrapData'
  | 'WaitingForCaches'
  | 'WaitingForCloud'
  | 'WaitingForCluster'
  | 'WaitingForClusterInfrastructure'
  | 'WaitingForController'
  | 'WaitingForDrive'
  | 'WaitingForImport'
  | 'WaitingForJournal'
  | 'WaitingForKubernetes'
  | 'WaitingForLead'
  | 'WaitingForList'
  | 'WaitingForMachine'
  | 'WaitingForMachines'
  | 'WaitingForMetering'
  | 'WaitingForNamespace'
  | 'WaitingForOwner'
  | 'WaitingForProof'
  | 'WaitingForServer'
  | 'WaitingForToken'
  | 'WaitingForUserRef'

type WellReason =
  | 'Ready'
  | 'Running'
  | 'Authorized'
  | 'Pinned'
  | 'NetworkReady'
  | 'NotPaused'
  | 'NotDeleting'
  | 'Deleting'
  | 'PlatformAccount'

export type Reason = StableReason | WaitingReason | WellReason

/** What a reason says, and what a person does about it; `nobody` where it goes by itself. */
export type ReasonText = { readonly means: string; readonly todo: string }

const WAITS = 'Nothing: it goes on by itself.'

/** Reasons that programs may branch on: of the interface, and never renamed. */
const STABLE: Readonly<Record<StableReason, ReasonText>> = {
  OwnerNotAuthorized: {
    means: 'No live binding lets this namespace act for the owner that is named.',
    todo: 'A platform writer binds them: `ascribe owners bind`. A binding that has ended or expired is made anew.',
  },
  OwnerMismatch: {
    means: 'What names the owner contradicts itself, or the cloud answers as somebody else than the pinned user.',
    todo: 'Nothing more is made. Compare the names in the message; after a create, find out whose the quarantined server is before anything else.',
  },
  OwnerNotFound: {
    means: 'The cloud does not know the user.',
    todo: 'Ask the owner. Machines are kept; deletion waits for `ascribe machines abandon`.',
  },
  OwnerSuspended: {
    means: "The cloud has suspended the user's account.",
    todo: 'The owner settles it with the cloud; everything goes on afterwards.',
  },
  RegionNotAllowed: {
    means: 'The region is not in the table of the Impersonator, or not in the limits of the binding.',
    todo: 'Use an allowed region, or let a platform writer add it.',
  },
  ServiceAccountRejected: {
    means: 'The authorization server does not take our client id and secret.',
    todo: 'The operator renews the Secret; it is read again when it changes. `ascribe whoami` tells more.',
  },
  ImpersonationForbidden: {
    means: 'The cloud does not let our client act as this user.',
    todo: 'The operator asks the cloud for the permission to impersonate.',
  },
  OAuthUnavailable: { means: 'The authorization server cannot be reached or fails. Running machines are untouched.', todo: WAITS },
  ServerNotAccessible: {
    means:
      'The cloud refuses to show the server or a drive. That does not mean that it is gone: nothing is made anew, nothing is given up.',
    todo: 'Find out whose it is now: `ascribe machines inspect`.',
  },
  ServerNotFound: {
    means: 'The cloud says that the server is not there any more. No other is made within the same Machine.',
    todo: 'Delete the Machine; its MachineDeployment makes another.',
  },
  DeletionBlocked: {
    means: 'Something still stands that cannot be deleted now; the message says what and why.',
    todo: 'Mend the cause. Only if nobody can: `ascribe machines abandon`, by two people.',
  },
  InsufficientFunds: { means: "The owner's account cannot pay.", todo: 'The owner tops it up; it is tried again by itself.' },
  InsufficientCapacity: {
    means: 'The location has no room for such a machine now.',
    todo: 'Wait, or use smaller machines or another region.',
  },
  QuotaExceeded: {
    means: 'It would be more than the owner agreed to in the binding.',
    todo: 'Remove machines, or let the owner agree to more: limits of the binding.',
  },
  InvalidSpec: {
    means: 'The object asks for what cannot be; the message says which field.',
    todo: 'Mend the field. A machine or template is replaced, not changed.',
  },
  ImageNotAllowed: {
    means: 'The drive to clone is neither of the library nor allowed by the platform.',
    todo: 'Use an image of the library, or let the platform allow this one.',
  },
  Paused: {
    means: 'The Cluster is paused, or the annotation cluster.x-k8s.io/paused stands on it.',
    todo: 'Unpause it when whoever paused it is done.',
  },
}

const waits = (means: string, todo: string = WAITS): ReasonText => ({ means, todo })

/** Reasons of waiting: of one step, and gone with it. */
const WAITING: Readonly<Record<WaitingReason, ReasonText>> = {
  WaitingForAccount: waits('The account that was chosen is not known yet.'),
  WaitingForAddress: waits(
    'An address is claimed from the pool and not given yet.',
    'If it lasts: look at the IPAddressClaim and whether its pool is full.',
  ),
  WaitingForAudit: waits(
    'The record of a token cannot be written, so no token is asked for.',
    'The operator looks at the disk of the controller.',
  ),
  WaitingForBinding: waits('A binding was just made or changed.'),
  WaitingForBootstrapData: waits(
    'The bootstrap provider has not made the data of this machine yet.',
    'If it lasts: look at the bootstrap object of the Machine.',
  ),
  WaitingForCaches: waits('The controller has just started.'),
  WaitingForCloud: waits('The cloud fails or is slow; it is tried again.'),
  WaitingForCluster: waits('There is no Cluster for this object yet.', 'If it lasts: look at the label cluster.x-k8s.io/cluster-name.'),
  WaitingForClusterInfrastructure: waits('The infrastructure of the Cluster is not provisioned yet.', 'Look at its CloudSigmaCluster.'),
  WaitingForController: waits('The controller does not lead or has just begun to.'),
  WaitingForDrive: waits('A drive is being cloned or deleted.'),
  WaitingForImport: waits('It belongs to the reference provider.', 'Take it over: `ascribe machines import`.'),
  WaitingForJournal: waits(
    'The journal cannot be written, and no act goes without a record.',
    'The operator looks at the disk of the controller.',
  ),
  WaitingForKubernetes: waits('The API server fails or is slow; it is tried again.'),
  WaitingForLead: waits('The lease is too short for another call; it is being renewed.'),
  WaitingForList: waits(
    "Something may have been made before; the cloud's lists are awaited for the stated grace, so that nothing is made twice.",
  ),
  WaitingForMachine: waits('No Machine owns this object yet.', 'If it lasts: CloudSigmaMachines are made by Machines, not by hand.'),
  WaitingForMachines: waits('Machines of the cluster still stand.'),
  WaitingForMetering: waits('The last usage of the machine is being recorded.'),
  WaitingForNamespace: waits('The namespace is not known yet.'),
  WaitingForOwner: waits('Nothing names an owner.', 'The platform sets the owner, or binds the namespace to one.'),
  WaitingForProof: waits(
    'A server carries our token and not our proof; it is not adopted.',
    'The operator finds out who made it: `ascribe machines inspect`.',
  ),
  WaitingForServer: waits('The server is starting, stopping or being deleted.'),
  WaitingForToken: waits('A token is being taken.'),
  WaitingForUserRef: waits('The Secret of userRef cannot be read.', 'Make it, with the key userEmail; the namespace must be bound.'),
}

const fine = (means: string): ReasonText => ({ means, todo: 'Nothing.' })

/** Reasons of what is well, or was asked for. */
const WELL: Readonly<Record<WellReason, ReasonText>> = {
  Ready: fine('Everything is as it should be.'),
  Running: fine('The server runs.'),
  Authorized: fine('The account may be used, and it is the one that was chosen.'),
  Pinned: fine('The account was chosen and stays.'),
  NetworkReady: fine('The VLAN is there.'),
  NotPaused: fine('It is worked on.'),
  NotDeleting: fine('It stays.'),
  Deleting: fine('It is being deleted.'),
  PlatformAccount: fine("An administrator put it into the platform's account."),
}

/** Every reason that a condition of ours may have. */
export const REASONS: Readonly<Record<Reason, ReasonText>> = { ...STABLE, ...WAITING, ...WELL }

/** What to do about a reason, or nothing for one of somebody else's. */
export function reasonText(reason: string): ReasonText | undefined {
  return Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason] : undefined
}

/** docs/conditions.md. */
export function conditionsDocument(): string {
  const rows = (texts: Readonly<Record<string, ReasonText>>): readonly string[] =>
    Object.entries(texts).map(([reason, { means, todo }]) => `| \`${reason}\` | ${means} | ${todo} |`)
  const table = (title: string, texts: Readonly<Record<string, ReasonText>>): readonly string[] => [
    `## ${title}`,
    '',
    '| reason | what it means | what to do |',
    '|---|---|---|',
    ...rows(texts),
    '',
  ]
  return [
    '# Conditions and reasons',
    '',
    '<!-- Generated from packages/kinds/src/conditions.ts; change it there, then run `npm run generate`. -->',
    '',
    'What `kubectl describe` shows of CloudSigmaClusters, CloudSigmaMachines, Impersonators and bindings. Reasons are stable: programs may branch on',
    'them. Messages are for people and change.',
    '',
    '| condition | `True` means |',
    '|---|---|',
    ...Object.entries(CONDITIONS).map(([type, means]) => `| \`${type}\` | ${means} |`),
    '',
    ...table('Somebody must do something, or must know', STABLE),
    ...table('Waiting', WAITING),
    ...table('Well', WELL),
  ].join('\n')
}
