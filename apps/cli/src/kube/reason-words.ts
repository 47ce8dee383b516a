/** What stands in the way of a machine or a cluster, and what mends it: by the reason of its condition. */
type Words = { readonly why: string; readonly mend: string }

const WORDS: Readonly<Record<string, Words>> = {
  OwnerNotAuthorized: {
    why: 'no binding lets this namespace act for that owner',
    mend: '`ascribe owners bind NAMESPACE --owner EMAIL`; `ascribe owners list --kubeconfig FILE` shows the bindings there are.',
  },
  OwnerMismatch: {
    why: 'the cloud says that it belongs to somebody else than the pinned owner; nothing more is done with it',
    mend: 'Find out whose it is before anything else: docs/runbooks has the steps.',
  },
  OwnerNotFound: {
    why: 'the cloud does not know the owner any more',
    mend: 'If the account is gone for good: `ascribe machines abandon`, by two people.',
  },
  OwnerSuspended: {
    why: 'the account of the owner is suspended',
    mend: 'The owner settles that with the cloud; everything goes on by itself then.',
  },
  RegionNotAllowed: {
    why: 'the region is not in the table of endpoints, or not among those of the binding; nothing was sent',
    mend: 'Add it to the CloudSigmaImpersonator, or to limits.regions of the binding.',
  },
  ServiceAccountRejected: {
    why: 'the authorization server refuses our client',
    mend: '`ascribe doctor` says which step; rotate the secret.',
  },
  ImpersonationForbidden: { why: 'our client may not impersonate this user', mend: 'The operator of the cloud grants it.' },
  OAuthUnavailable: { why: 'the authorization server does not answer', mend: 'Nothing is lost; it goes on by itself.' },
  ServerNotAccessible: { why: 'the cloud lets the owner not at the server', mend: 'The owner looks at the permissions of the server.' },
  ServerNotFound: { why: 'the server is gone: somebody deleted it in the cloud', mend: 'Delete the Machine; its owner makes another.' },
  DeletionBlocked: {
    why: 'something still stands in the cloud that cannot be deleted now',
    mend: 'docs/runbooks has the steps; `ascribe machines abandon` is the last.',
  },
  InsufficientFunds: {
    why: 'the owner has not enough money in the cloud to start it for five days',
    mend: 'The owner tops the account up.',
  },
  InsufficientCapacity: { why: 'the cloud has no room for it', mend: 'It is tried again; another region may have room.' },
  QuotaExceeded: { why: 'it would be more than the binding allows', mend: 'Raise the limits of the binding, if the owner agrees.' },
  InvalidSpec: { why: 'it cannot be made as it is written', mend: 'The message says what is wrong; make another template.' },
  ImageNotAllowed: {
    why: 'a disk names a drive that may not be cloned for this owner',
    mend: 'Take an image of the library, or allow this one.',
  },
  Paused: { why: 'it is paused', mend: 'Take the annotation cluster.x-k8s.io/paused away.' },
}

/** Words for a reason; `undefined` for one that says enough by itself. */
export function wordsOf(reason: string): Words | undefined {
  return WORDS[reason]
}
