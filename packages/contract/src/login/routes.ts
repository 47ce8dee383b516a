import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import type { BackchannelLogout, ChooseOrganization, LoggedOut, LoginCallbackQuery, LoginQuery, Me } from './types.ts'

const PATH_LENGTH_MAX = 1024
const TOKEN_LENGTH_MAX = 16 * 1024

/** Anybody may come, and is looked at by the handler itself. */
const SIGN_IN = { listeners: ['public'], subject: 'none', needs: {}, optional: 'login' } as const

export const login: RouteDef<NoParams, LoginQuery, undefined, undefined> = {
  ...SIGN_IN,
  operationId: 'login',
  summary: 'Sends a browser to the identity provider, and back to a path of ours afterwards.',
  method: 'GET',
  path: '/login',
  params: NoParamsSchema,
  query: z.strictObject({
    returnTo: z.string().max(PATH_LENGTH_MAX).optional().meta({ description: 'A path of ours. Default: the console.' }),
    organization: z.uuid().optional().meta({ description: 'The organization to look at, of those that one belongs to.' }),
  }),
  status: 302,
}

export const loginCallback: RouteDef<NoParams, LoginCallbackQuery, undefined, undefined> = {
  ...SIGN_IN,
  operationId: 'loginCallback',
  summary: 'Where the identity provider sends a browser back to.',
  method: 'GET',
  path: '/login/callback',
  params: NoParamsSchema,
  // Providers add parameters of their own; the handler refuses one that comes twice.
  query: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  status: 302,
}

export const logout: RouteDef<NoParams, NoQuery, undefined, LoggedOut> = {
  ...SIGN_IN,
  operationId: 'logout',
  summary: 'Ends the session here; a form goes on to the identity provider, to end that one, and a script is told where.',
  method: 'POST',
  path: '/logout',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: z.strictObject({ endSessionUrl: z.url().optional() }).meta({ id: 'LoggedOut' }),
}

export const backchannelLogout: RouteDef<NoParams, NoQuery, BackchannelLogout, undefined> = {
  ...SIGN_IN,
  operationId: 'backchannelLogout',
  summary: 'Where the identity provider says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0).',
  method: 'POST',
  path: '/login/backchannel-logout',
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: z.object({ logout_token: z.string().min(1).max(TOKEN_LENGTH_MAX) }),
  bodyType: 'form',
  status: 204,
}

const role = z.enum(['viewer', 'admin'])

const MeSchema: z.ZodType<Me> = z
  .strictObject({
    kind: z.enum(['user', 'key']),
    id: z.string().meta({ description: "A user's id at the identity provider; a key's auth id." }),
    name: z.string().optional(),
    email: z.string().optional(),
    scopes: z
      .array(z.enum(['inference', 'billing:read', 'usage:write']))
      .optional()
      .meta({ description: 'Of a key.' }),
    organizationId: z.uuid().optional().meta({ description: 'The one that is looked at; absent while it has to be chosen.' }),
    role: role.optional().meta({ description: 'What a user may do there.' }),
    organizations: z
      .array(z.strictObject({ id: z.uuid(), name: z.string(), role }))
      .meta({ description: 'Those to choose from, by name. Empty for a key.' }),
    via: z.enum(['bearer', 'cookie', 'api_key']),
    endsAt: z.iso.datetime().optional().meta({ description: 'When a session ends, however busy.' }),
  })
  .meta({ id: 'Me' })

export const getMe: RouteDef<NoParams, NoQuery, undefined, Me> = {
  operationId: 'getMe',
  summary: 'Who asks: the user or key, the organization that is looked at, and those to choose from.',
  method: 'GET',
  path: '/v1/me',
  listeners: ['public'],
  subject: 'none',
  needs: {},
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: MeSchema,
}

export const chooseMyOrganization: RouteDef<NoParams, NoQuery, ChooseOrganization, Me> = {
  ...SIGN_IN,
  operationId: 'chooseMyOrganization',
  summary: 'Chooses which organization a session looks at, of those that its user belongs to.',
  method: 'POST',
  path: '/v1/me/organization',
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: z.strictObject({ organization: z.uuid() }),
  bodyType: 'form',
  reply: MeSchema,
}

/** Of installations with an identity provider for people; but for the first, which any caller may ask. */
export const LOGIN_ROUTES: readonly RouteDef[] = [getMe, login, loginCallback, logout, backchannelLogout, chooseMyOrganization]
