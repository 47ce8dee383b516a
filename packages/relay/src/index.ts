export { endToEndHeaders } from './http/end-to-end-headers.ts'
export { RelayListenError, RelayMisuseError } from './errors.ts'
export { createRelay } from './relay.ts'
export type { RelayDeps } from './relay.ts'
export { createUpstreamProbe } from './probe.ts'
export type { UpstreamProbe } from './probe.ts'
export { RESENDS_MAX } from './types.ts'
export type {
  BoundSocket,
  Decision,
  Drain,
  Exchange,
  Failure,
  FailureKind,
  RawHeaders,
  Refusal,
  Relay,
  RelayOptions,
  Reply,
  RequestHead,
  Resend,
  Retry,
  Setback,
  Sink,
  Upstream,
  Verdict,
} from './types.ts'
