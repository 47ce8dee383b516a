// What Keycloak 26 announces, key by key. It announces more than the sandbox serves: a client must see the same document.

const SIGNING = ['PS384', 'RS384', 'EdDSA', 'ES384', 'HS256', 'HS512', 'ES256', 'RS256', 'HS384', 'ES512', 'PS256', 'PS512', 'RS512']
const SIGNING_OR_NONE = [...SIGNING, 'none']
const ASYMMETRIC = ['PS384', 'RS384', 'EdDSA', 'ES384', 'ES256', 'RS256', 'ES512', 'PS256', 'PS512', 'RS512']
const KEY_WRAPPING = ['ECDH-ES+A256KW', 'ECDH-ES+A192KW', 'ECDH-ES+A128KW', 'RSA-OAEP', 'RSA-OAEP-256', 'RSA1_5', 'ECDH-ES']
const CONTENT = ['A256GCM', 'A192GCM', 'A128GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512']
const CLIENT_AUTHENTICATION = ['private_key_jwt', 'client_secret_basic', 'client_secret_post', 'tls_client_auth', 'client_secret_jwt']
const GRANTS = [
  'authorization_code',
  'client_credentials',
  'implicit',
  'password',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:uma-ticket',
  'urn:openid:params:grant-type:ciba',
]
const RESPONSE_TYPES = ['code', 'none', 'id_token', 'token', 'id_token token', 'code id_token', 'code token', 'code id_token token']
const RESPONSE_MODES = ['query', 'fragment', 'form_post', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'jwt']
const SCOPES = [
  'openid',
  'email',
  'phone',
  'roles',
  'web-origins',
  'basic',
  'organization',
  'microprofile-jwt',
  'acr',
  'offline_access',
  'service_account',
  'profile',
  'address',
]
const CLAIMS = [
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'auth_time',
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'email',
  'acr',
  'azp',
  'nonce',
]

type Document = Readonly<Record<string, unknown>>

/** What both documents of a realm say. */
function shared(issuer: string, oidc: string): Document {
  return {
    issuer,
    authorization_endpoint: `${oidc}/auth`,
    token_endpoint: `${oidc}/token`,
    introspection_endpoint: `${oidc}/token/introspect`,
    end_session_endpoint: `${oidc}/logout`,
    frontchannel_logout_session_supported: true,
    frontchannel_logout_supported: true,
    jwks_uri: `${oidc}/certs`,
    grant_types_supported: GRANTS,
    response_types_supported: RESPONSE_TYPES,
    response_modes_supported: RESPONSE_MODES,
    registration_endpoint: `${issuer}/clients-registrations/openid-connect`,
    token_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    token_endpoint_auth_signing_alg_values_supported: SIGNING,
    scopes_supported: SCOPES,
  }
}

/** `/.well-known/uma2-configuration` of a realm under `base` (`http://host:port`). */
export function uma2Configuration(base: string, realm: string): Document {
  const issuer = `${base}/realms/${realm}`
  return {
    ...shared(issuer, `${issuer}/protocol/openid-connect`),
    resource_registration_endpoint: `${issuer}/authz/protection/resource_set`,
    permission_endpoint: `${issuer}/authz/protection/permission`,
    policy_endpoint: `${issuer}/authz/protection/uma-policy`,
  }
}

/** `/.well-known/openid-configuration` of a realm under `base`. */
export function openidConfiguration(base: string, realm: string): Document {
  const issuer = `${base}/realms/${realm}`
  const oidc = `${issuer}/protocol/openid-connect`
  const aliases = {
    token_endpoint: `${oidc}/token`,
    revocation_endpoint: `${oidc}/revoke`,
    introspection_endpoint: `${oidc}/token/introspect`,
    device_authorization_endpoint: `${oidc}/auth/device`,
    registration_endpoint: `${issuer}/clients-registrations/openid-connect`,
    userinfo_endpoint: `${oidc}/userinfo`,
    pushed_authorization_request_endpoint: `${oidc}/ext/par/request`,
    backchannel_authentication_endpoint: `${oidc}/ext/ciba/auth`,
  }
  return {
    ...shared(issuer, oidc),
    ...algorithms(),
    ...aliases,
    check_session_iframe: `${oidc}/login-status-iframe.html`,
    acr_values_supported: ['0', '1'],
    subject_types_supported: ['public', 'pairwise'],
    prompt_values_supported: ['none', 'login', 'consent'],
    introspection_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    revocation_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    claims_supported: CLAIMS,
    claim_types_supported: ['normal'],
    claims_parameter_supported: true,
    request_parameter_supported: true,
    request_uri_parameter_supported: true,
    require_request_uri_registration: true,
    code_challenge_methods_supported: ['plain', 'S256'],
    tls_client_certificate_bound_access_tokens: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    backchannel_token_delivery_modes_supported: ['poll', 'ping'],
    require_pushed_authorization_requests: false,
    mtls_endpoint_aliases: aliases,
    authorization_response_iss_parameter_supported: true,
  }
}

function algorithms(): Document {
  return {
    id_token_signing_alg_values_supported: SIGNING,
    id_token_encryption_alg_values_supported: KEY_WRAPPING,
    id_token_encryption_enc_values_supported: CONTENT,
    userinfo_signing_alg_values_supported: SIGNING_OR_NONE,
    userinfo_encryption_alg_values_supported: KEY_WRAPPING,
    userinfo_encryption_enc_values_supported: CONTENT,
    request_object_signing_alg_values_supported: SIGNING_OR_NONE,
    request_object_encryption_alg_values_supported: KEY_WRAPPING,
    request_object_encryption_enc_values_supported: CONTENT,
    introspection_endpoint_auth_signing_alg_values_supported: SIGNING,
    authorization_signing_alg_values_supported: SIGNING,
    authorization_encryption_alg_values_supported: KEY_WRAPPING,
    authorization_encryption_enc_values_supported: CONTENT,
    dpop_signing_alg_values_supported: ASYMMETRIC,
    revocation_endpoint_auth_signing_alg_values_supported: SIGNING,
    backchannel_authentication_request_signing_alg_values_supported: ASYMMETRIC,
  }
}
