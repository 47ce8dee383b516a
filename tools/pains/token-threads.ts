import type { PainGroup } from './threads.ts'

/** Threads of users of token clients, by subject. As of November 2026. */
export const TOKEN_PAINS: PainGroup = {
  about: 'Tokens of machines and controllers',
  pains: [
    { name: 'openfga-388', thread: 'openfga/java-sdk#388', wants: 'A refresh buffer as long as the life does not make a token per call.' },
    {
      name: 'librechat-15320',
      thread: 'danny-avila/LibreChat#15320',
      wants: 'A token is not kept for its full life: it would die on its way.',
    },
    { name: 'msal-js-6566', thread: 'AzureAD/microsoft-authentication-library-for-js#6566', wants: 'Callers at once share one request.' },
    {
      name: 'concourse-3586',
      thread: 'concourse/concourse#3586',
      wants: 'A fleet that starts does not log in once for each of its parts (660,000 logins in two hours).',
    },
    { name: 'vault-10918', thread: 'hashicorp/vault#10918', wants: 'A short outage does not end in a storm of logins.' },
    {
      name: 'msal-dotnet-4196',
      thread: 'AzureAD/microsoft-authentication-library-for-dotnet#4196',
      wants: 'Hundreds of callers do not retry a refusal in convoy.',
    },
    { name: 'vault-26844', thread: 'hashicorp/vault#26844', wants: 'Renewal that fails pauses before it tries again.' },
    {
      name: 'capo-2097',
      thread: 'kubernetes-sigs/cluster-api-provider-openstack#2097',
      wants: 'A rotated credential leaves nothing failed for ever.',
    },
    { name: 'caph-1888', thread: 'syself/cluster-api-provider-hetzner#1888', wants: 'Who is unauthorized does not hammer.' },
    { name: 'capa-4162', thread: 'kubernetes-sigs/cluster-api-provider-aws#4162', wants: 'A cached refusal ends.' },
    {
      name: 'keycloak-45241',
      thread: 'keycloak/keycloak#45241',
      wants: 'A cache of tokens is bounded, or it is an attack (CVE-2025-2559).',
    },
    {
      name: 'keycloak-24913',
      thread: 'keycloak/keycloak#24913',
      wants: 'Connections stay open: most of what a token costs is the handshake.',
    },
  ],
}
