import type { IncomingMessage } from 'node:http'
import type { IssuerContext } from './types.ts'
import type { IssuerClient } from './people.ts'
import type { IssuerSession } from './sessions.ts'
import { accessClaims, idClaims } from './tokens.ts'

export type TokenReply = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

type Granted = { readonly session: IssuerSession; readonly scope: string; readonly nonce: string | undefined }

/** `POST /token` (RFC 6749 sections 4.1.3 and 6). Refusals are in Keycloak's words. */
export function answerToken(context: IssuerContext, request: IncomingMessage, form: URLSearchParams): TokenReply {
  const client = authenticate(context, request, form)
  if (!('id' in client)) return client
  switch (form.get('grant_type')) {
    case 'authorization_code': {
      const grant = context.sessions.redeem(form.get('code') ?? '', {
        clientId: client.id,
        redirectUri: form.get('redirect_uri') ?? '',
        verifier: form.get('code_verifier') ?? '',
      })
      return grant === undefined ? refusal(400, 'invalid_grant', 'Code not valid') : tokens(context, client, grant)
    }
    case 'refresh_token': {
      const refresh = context.sessions.takeRefresh(form.get('refresh_token') ?? '', client.id)
      return refresh === undefined
        ? refusal(400, 'invalid_grant', 'Invalid refresh token')
        : tokens(context, client, { ...refresh, nonce: undefined })
    }
    case null:
      return refusal(400, 'invalid_request', 'Missing form parameter: grant_type')
    default:
      return refusal(400, 'unsupported_grant_type', 'Unsupported grant_type')
  }
}

function authenticate({ clients }: IssuerContext, request: IncomingMessage, form: URLSearchParams): IssuerClient | TokenReply {
  const [, basic] = /^Basic (.+)$/i.exec(request.headers.authorization ?? '') ?? []
  const [name, ...rest] = basic === undefined ? [] : Buffer.from(basic, 'base64').toString().split(':')
  const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
  const id = name === undefined ? form.get('client_id') : decode(name)
  const secret = name === undefined ? form.get('client_secret') : decode(rest.join(':'))
  const client = clients.find((each) => each.id === id)
  if (client === undefined) return refusal(401, 'invalid_client', 'Invalid client or Invalid client credentials')
  // RFC 6749 says invalid_client here too; Keycloak does not.
  if (client.secret !== undefined && client.secret !== secret)
    return refusal(401, 'unauthorized_client', 'Invalid client or Invalid client credentials')
  return client
}

function tokens(context: IssuerContext, client: IssuerClient, { session, scope, nonce }: Granted): TokenReply {
  const { issuer, audience, accessTtlS: ttlS, keys } = context
  const iat = Math.floor(context.now() / 1000)
  const facts = { issuer, audience, clientId: client.id, user: session.user, sessionId: session.id, scope, iat, ttlS }
  const accessToken = keys.sign(accessClaims(facts))
  const authTime = Math.floor(session.authenticatedAt / 1000)
  return {
    status: 200,
    body: {
      access_token: accessToken,
      expires_in: ttlS,
      refresh_token: context.sessions.makeRefresh({ session, clientId: client.id, scope }),
      token_type: 'Bearer',
      ...(scope.split(' ').includes('openid') && { id_token: keys.sign(idClaims(facts, { accessToken, nonce, authTime })) }),
      session_state: session.id,
      scope,
    },
  }
}

function refusal(status: number, error: string, description: string): TokenReply {
  return { status, body: { error, error_description: description } }
}
