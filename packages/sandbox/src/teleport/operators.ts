/** Somebody who signs in at the proxy: what an identity provider would say of them. */
export type Operator = {
  readonly name: string
  readonly roles: readonly string[]
  readonly traits: Readonly<Record<string, readonly string[]>>
}

/** Who may sign in where nobody says otherwise. */
export const SANDBOX_OPERATORS: readonly Operator[] = [
  { name: 'olga@ops.example', roles: ['access', 'billing-viewer'], traits: { logins: ['olga'], teams: ['support'] } },
  { name: 'otto@ops.example', roles: ['access', 'billing-viewer'], traits: { logins: ['otto'], teams: ['finance'] } },
  // May use the apps, but may not look at bills.
  { name: 'nora@ops.example', roles: ['access'], traits: { logins: ['nora'], teams: ['network'] } },
]
