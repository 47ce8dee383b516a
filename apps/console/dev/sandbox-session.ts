import type { DevSource } from './dev-server.ts'

/** Signs an operator in at the sandbox Teleport, as `tsh` does at a real one, and gives the way through it. */
export async function sandboxSession(appUrl: string, user: string): Promise<Extract<DevSource, { kind: 'api' }>> {
  const { host, port } = new URL(appUrl)
  // By address: Node does not resolve names below localhost everywhere.
  const url = `http://127.0.0.1:${port}`
  const reply = await fetch(`${url}/sandbox/sessions`, { method: 'POST', body: JSON.stringify({ user, app: 'global-api' }) })
  if (!reply.ok) throw new Error(`Cannot sign ${user} in at ${appUrl}: ${await reply.text()}`)
  const { cookie } = (await reply.json()) as { readonly cookie: string }
  return { kind: 'api', url, cookie, host }
}
