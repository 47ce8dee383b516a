/** Files of the recording: 113 answers and the claims of five tokens. */
export const RECORDED_COUNT = 118

const EXCHANGE =
  'token exchange (RFC 8693): no step of minting uses it, and it cannot impersonate; Keycloak supports internal to internal only'

/** What of the recording the sandbox does not serve, and why. */
export const NOT_COVERED: Readonly<Record<string, string>> = {
  'claims-exchanged': EXCHANGE,
  'tx-actor-token': EXCHANGE,
  'tx-audience-unavailable': EXCHANGE,
  'tx-audience-unknown': EXCHANGE,
  'tx-jwt-type': EXCHANGE,
  'tx-not-enabled': EXCHANGE,
  'tx-not-in-audience': EXCHANGE,
  'tx-ok': EXCHANGE,
  'tx-ok-id-token': EXCHANGE,
  'tx-ok-own-token': EXCHANGE,
  'tx-refresh-token': EXCHANGE,
  'tx-requested-subject': EXCHANGE,
  'tx-resource': EXCHANGE,
  'tx-saml': EXCHANGE,
  'tx-subject-token-garbage': EXCHANGE,
  'tx-subject-token-missing': EXCHANGE,
  'tx-subject-token-type-jwt': EXCHANGE,
  'tx-unknown-scope': EXCHANGE,
}
