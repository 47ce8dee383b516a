import { readFileSync } from 'node:fs'
import { z } from 'zod'
// Not from its index: commands that start no gateway, and those that start one later, need not load it.
import type { Route } from '@ascribe/gateway/routes'
import type { DeploymentEntry } from '@ascribe/identity'
import { InputError, errorChain } from '@ascribe/kit'
import { Secret, durationMs } from '@ascribe/service'
import { deploymentDestination, destinationOf, routeDestination } from './upstream-settings.ts'
import type { DestinationSettings } from './upstream-settings.ts'

/** A route as the configuration has it; `routesOf` turns it into one. */
export type RouteSettings = DestinationSettings & {
  /** Models by the names that clients use; none: the catch-all. */
  readonly models: readonly string[]
  /** What is billed; default: the id. */
  readonly resource_id?: string | undefined
  readonly resource_type?: string | undefined
  /** PEM of the certificate authorities to trust instead of the machine's. */
  readonly ca_file?: string | undefined
  readonly forward_headers: readonly string[]
  readonly forward_request_id: boolean
  readonly multiple_choices: Route['multipleChoices']
  readonly silent_streams: 'estimate' | 'tokenize' | 'refuse'
  /** What a budget reserves for one choice when a request does not say; absent: such a request is refused under a budget. */
  readonly max_output_tokens?: number | undefined
  /** What a budget reserves for a transcription, in seconds of sound; absent: such a request is refused under a budget. */
  readonly max_audio_seconds?: number | undefined
  /** Whether `store: true`, `previous_response_id`, `conversation` and `prompt` of Responses are let through. */
  readonly stored_responses: boolean
  readonly connections_max?: number | undefined
  /** Requests that wait for a connection, and how long one does, in milliseconds. */
  readonly waiting_max?: number | undefined
  readonly wait_timeout?: number | undefined
  /** Milliseconds, like the next two. */
  readonly connect_timeout?: number | undefined
  readonly head_timeout?: number | undefined
  readonly idle_timeout?: number | undefined
}

const name = z.string().min(1)

/** What a route may say wherever it stands, beside its id and where it goes. */
const terms = {
  models: z.array(name).default([]),
  resource_type: name.optional(),
  forward_headers: z.array(name).default([]),
  forward_request_id: z.boolean().default(false),
  multiple_choices: z.enum(['count', 'trust', 'refuse']).default('count'),
  silent_streams: z.enum(['estimate', 'tokenize', 'refuse']).default('estimate'),
  max_output_tokens: z.int().min(1).optional(),
  max_audio_seconds: z.int().min(1).optional(),
  stored_responses: z.boolean().default(false),
  connections_max: z.int().min(1).optional(),
  waiting_max: z.int().min(0).optional(),
  wait_timeout: durationMs().optional(),
  connect_timeout: durationMs().optional(),
  head_timeout: durationMs().optional(),
  idle_timeout: durationMs().optional(),
}

export const RouteSchema: z.ZodType<RouteSettings, unknown> = z.strictObject({
  id: name,
  resource_id: name.optional(),
  ca_file: name.optional(),
  ...routeDestination,
  ...terms,
})

/** A route as the ledger has it. */
export type DeploymentSettings = Omit<RouteSettings, 'id' | 'resource_id' | 'credential' | 'ca_file'> & { readonly resource_id: string }

/** A deployment of the ledger: a route whose id is its resource, without secrets, and without files of this machine. */
const DeploymentSchema: z.ZodType<DeploymentSettings, unknown> = z.strictObject({ resource_id: name, ...deploymentDestination, ...terms })

/** Credentials that routes and deployments name, by name. */
export type NamedCredentials = Readonly<Record<string, Secret>>

/** The routes of the configuration as the gateway takes them. @throws {InputError} */
export function routesOf({
  routes,
  credentials,
}: {
  readonly routes: readonly RouteSettings[]
  readonly credentials: NamedCredentials
}): Route[] {
  return routes.map((fields) => routeOf(fields, credentials))
}

/** A deployment as the gateway takes it. @throws {InputError} for one that says what this program does not know, or names a credential it has not got */
export function deploymentRoute(entry: DeploymentEntry, credentials: NamedCredentials): Route {
  const { resource_id: resourceId, ...fields } = parseDeployment(entry)
  return routeOf({ ...fields, id: resourceId, resource_id: resourceId }, credentials)
}

/** Whether a gateway that has the credentials could use it. @throws {InputError} */
export function checkDeployment(entry: DeploymentEntry): void {
  const { credential_name: own, upstreams = [] } = parseDeployment(entry)
  const named = [own, ...upstreams.map(({ credential_name: name }) => name)].filter((name) => name !== undefined)
  deploymentRoute(entry, Object.fromEntries(named.map((name) => [name, new Secret('')])))
}

/** @throws {InputError} */
function parseDeployment(entry: DeploymentEntry): DeploymentSettings {
  const parsed = DeploymentSchema.safeParse(entry)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new InputError(`Cannot use the deployment "${String(entry['resource_id'])}": ${faults.join('; ')}`, {
    hint: 'Its settings are those of `gateway.routes`, but for id, resource_id, credential and ca_file.',
  })
}

function routeOf(fields: RouteSettings, credentials: NamedCredentials): Route {
  const { waiting_max: waitingMax, wait_timeout: waitTimeoutMs } = fields
  const { connections_max: connectionsMax, connect_timeout: connectTimeout, head_timeout: headTimeout, idle_timeout: idleTimeout } = fields
  return {
    id: fields.id,
    models: fields.models,
    resourceId: fields.resource_id ?? fields.id,
    ...(fields.resource_type !== undefined && { resourceType: fields.resource_type }),
    ...destinationOf(fields, {
      credentials,
      upstreamAt: (origin, caFile = fields.ca_file) => ({
        origin,
        ...(caFile !== undefined && { ca: readAuthorities(fields.id, caFile) }),
        ...(connectionsMax !== undefined && { connectionsMax }),
        ...(waitingMax !== undefined && { waitingMax }),
        ...(waitTimeoutMs !== undefined && { waitTimeoutMs }),
        ...(connectTimeout !== undefined && { connectTimeoutMs: connectTimeout }),
        ...(headTimeout !== undefined && { headTimeoutMs: headTimeout }),
        ...(idleTimeout !== undefined && { idleTimeoutMs: idleTimeout }),
      }),
    }),
    forwardHeaders: new Set(fields.forward_headers.map((each) => each.toLowerCase())),
    forwardRequestId: fields.forward_request_id,
    multipleChoices: fields.multiple_choices,
    ...(fields.silent_streams !== 'estimate' && { silentStreams: silentStreamsOf(fields) }),
    ...(fields.max_output_tokens !== undefined && { maxOutputTokens: fields.max_output_tokens }),
    ...(fields.max_audio_seconds !== undefined && { maxAudioSeconds: fields.max_audio_seconds }),
    ...(fields.stored_responses && { storedResponses: true }),
  }
}

/** The tokenizer is called by another client than the engine, which trusts the machine's authorities only. @throws {InputError} */
function silentStreamsOf({
  id,
  silent_streams: silentStreams,
  ca_file: caFile,
  upstreams = [],
}: RouteSettings): RouteSettings['silent_streams'] {
  const hasAuthorities = caFile !== undefined || upstreams.some((each) => each.ca_file !== undefined)
  if (silentStreams !== 'tokenize' || !hasAuthorities) return silentStreams
  throw new InputError(`Cannot use route "${id}": silent_streams: tokenize calls the engine's tokenizer, and not with a ca_file`, {
    hint: 'Put the authority among those of the machine (NODE_EXTRA_CA_CERTS), or say silent_streams: estimate.',
  })
}

function readAuthorities(route: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(`Cannot use route "${route}": its certificate authorities in ${file} cannot be read: ${errorChain(cause)}`)
  }
}
