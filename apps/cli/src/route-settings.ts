import { readFileSync } from 'node:fs'
import { z } from 'zod'
// Not from its index: commands that start no gateway, and those that start one later, need not load it.
import type { Route } from '@ascribe/gateway/routes'
import { parseUpstreamUrl } from '@ascribe/gateway/routes'
import { InputError, errorChain } from '@ascribe/kit'
import { durationMs, secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** A route as the configuration has it; `routesOf` turns it into one. */
export type RouteSettings = {
  /** Written into every record. */
  readonly id: string
  /** Models by the names that clients use; none: the catch-all. */
  readonly models: readonly string[]
  /** What is billed; default: the id. */
  readonly resource_id?: string | undefined
  readonly resource_type?: string | undefined
  /** Of an OpenAI-compatible API, with or without /v1. */
  readonly upstream: string
  readonly credential?: Secret | undefined
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
  /** Milliseconds, like the next two. */
  readonly connect_timeout?: number | undefined
  readonly head_timeout?: number | undefined
  readonly idle_timeout?: number | undefined
}

const name = z.string().min(1)

export const RouteSchema: z.ZodType<RouteSettings, unknown> = z.strictObject({
  id: name,
  models: z.array(name).default([]),
  resource_id: name.optional(),
  resource_type: name.optional(),
  upstream: name,
  credential: secret().optional(),
  ca_file: name.optional(),
  forward_headers: z.array(name).default([]),
  forward_request_id: z.boolean().default(false),
  multiple_choices: z.enum(['count', 'trust', 'refuse']).default('count'),
  silent_streams: z.enum(['estimate', 'tokenize', 'refuse']).default('estimate'),
  max_output_tokens: z.int().min(1).optional(),
  max_audio_seconds: z.int().min(1).optional(),
  stored_responses: z.boolean().default(false),
  connections_max: z.int().min(1).optional(),
  connect_timeout: durationMs().optional(),
  head_timeout: durationMs().optional(),
  idle_timeout: durationMs().optional(),
})

/** The routes of the configuration as the gateway takes them. @throws {InputError} */
export function routesOf(routes: readonly RouteSettings[]): Route[] {
  return routes.map(routeOf)
}

function routeOf(fields: RouteSettings): Route {
  const { origin, basePath } = parseUpstreamUrl(fields.upstream)
  const { connections_max: connectionsMax, connect_timeout: connectTimeout, head_timeout: headTimeout, idle_timeout: idleTimeout } = fields
  return {
    id: fields.id,
    models: fields.models,
    resourceId: fields.resource_id ?? fields.id,
    ...(fields.resource_type !== undefined && { resourceType: fields.resource_type }),
    upstream: {
      origin,
      ...(fields.ca_file !== undefined && { ca: readAuthorities(fields.id, fields.ca_file) }),
      ...(connectionsMax !== undefined && { connectionsMax }),
      ...(connectTimeout !== undefined && { connectTimeoutMs: connectTimeout }),
      ...(headTimeout !== undefined && { headTimeoutMs: headTimeout }),
      ...(idleTimeout !== undefined && { idleTimeoutMs: idleTimeout }),
    },
    basePath,
    ...(fields.credential !== undefined && { credential: fields.credential }),
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
function silentStreamsOf({ id, silent_streams: silentStreams, ca_file: caFile }: RouteSettings): RouteSettings['silent_streams'] {
  if (silentStreams !== 'tokenize' || caFile === undefined) return silentStreams
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
