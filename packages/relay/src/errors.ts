import { AscribeError } from '@ascribe/kit'

/** The relay cannot listen: the port is taken, or the address is not one of this machine. */
export class RelayListenError extends AscribeError {
  override readonly code = 'RELAY_LISTEN'

  constructor(where: { readonly host: string; readonly port: number }, cause: unknown) {
    super(`Cannot listen on ${where.host}:${where.port}: choose another address or stop what holds it`, { cause })
  }
}

/** Somebody up there called the relay's seam in a way it does not allow; the client's connection was broken. */
export class RelayMisuseError extends AscribeError {
  override readonly code = 'RELAY_MISUSE'
}

/** The upstream cannot be reached, breaks off, keeps silent, or does not speak HTTP: the cause of a failed exchange. */
export class UpstreamReplyError extends AscribeError {
  override readonly code = 'RELAY_UPSTREAM'

  constructor(why: string) {
    super(`Cannot get a reply from the upstream: ${why}`)
  }
}
