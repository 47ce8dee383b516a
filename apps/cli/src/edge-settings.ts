import { z } from 'zod'
import type { EdgeConfig, EdgeJwt, ResourceRule } from '@ascribe/edge'
import { isConfidentialUrl } from '@ascribe/identity/jwt'
import { InputError } from '@ascribe/kit'
import { cidrList } from '@ascribe/service'
import type { HostPort } from '@ascribe/service'

/** What proxies ask about each request. */
export type EdgeSettings = HostPort & {
  /** Of proxies whose `X-Forwarded-Host` and `X-Forwarded-Uri` are believed. */
  readonly trust_forwarded_from: readonly string[]
  readonly rules: readonly EdgeRuleSettings[]
  readonly jwt: EdgeJwtSettings
}

export type EdgeRuleSettings = {
  readonly host?: string | undefined
  readonly path?: string | undefined
  readonly resource_id?: string | undefined
  readonly resource_type?: string | undefined
}

/** Tokens beside API keys; nothing set: none. */
export type EdgeJwtSettings = {
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  readonly jwks?: string | undefined
  readonly user_claim?: string | undefined
  readonly group_claim?: string | undefined
  readonly scope?: string | undefined
}

const name = z.string().min(1)

const RuleSchema: z.ZodType<EdgeRuleSettings, unknown> = z.strictObject({
  host: name.optional(),
  path: name.optional(),
  resource_id: name.optional(),
  resource_type: name.optional(),
})

export const EdgeSchema: z.ZodType<EdgeSettings, unknown> = z
  .strictObject({
    host: name.default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(8085),
    trust_forwarded_from: cidrList().default([]),
    rules: z.array(RuleSchema).default([]),
    jwt: z
      .strictObject({
        issuer: z.url().optional(),
        audience: name.optional(),
        jwks: z.url().optional(),
        user_claim: name.optional(),
        group_claim: name.optional(),
        scope: name.optional(),
      })
      .prefault({}),
  })
  .prefault({})

/** The edge as the configuration has it. @throws {InputError} for half of an issuer, or one whose keys anybody could change on the way */
export function edgeConfigOf(settings: EdgeSettings, headerPrefix: string): EdgeConfig {
  const { host, port, trust_forwarded_from: forwardedFrom, rules } = settings
  const jwt = jwtOf(settings.jwt)
  return { host, port, forwardedFrom, rules: rules.map(ruleOf), headerPrefix, ...(jwt !== undefined && { jwt }) }
}

function ruleOf({ host, path, resource_id: resourceId, resource_type: resourceType }: EdgeRuleSettings): ResourceRule {
  return {
    ...(host !== undefined && { host }),
    ...(path !== undefined && { path }),
    ...(resourceId !== undefined && { resourceId }),
    ...(resourceType !== undefined && { resourceType }),
  }
}

function jwtOf(settings: EdgeJwtSettings): EdgeJwt | undefined {
  const { issuer, audience, jwks: jwksUrl, user_claim: userClaim, group_claim: groupClaim, scope } = settings
  if (Object.values(settings).every((value) => value === undefined)) return undefined
  if (issuer === undefined || audience === undefined) {
    throw new InputError(`Cannot take tokens at the edge: edge.jwt.${issuer === undefined ? 'issuer' : 'audience'} is missing`, {
      hint: 'Set issuer and audience, or nothing of edge.jwt: then only API keys are taken.',
    })
  }
  // Where keys are fetched first. It would be refused then, each time, and every token with it.
  if (!isConfidentialUrl(new URL(jwksUrl ?? issuer))) {
    throw new InputError(`Cannot take tokens at the edge: edge.jwt.${jwksUrl === undefined ? 'issuer' : 'jwks'} is not https`, {
      hint: 'Whoever stands between could put his own keys there. Plain http is for this machine alone.',
    })
  }
  return {
    issuer,
    audience,
    ...(jwksUrl !== undefined && { jwksUrl }),
    ...(userClaim !== undefined && { userClaim }),
    ...(groupClaim !== undefined && { groupClaim }),
    ...(scope !== undefined && { scope }),
  }
}
