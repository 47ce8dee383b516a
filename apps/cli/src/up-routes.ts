import type { Route } from '@ascribe/gateway'
import { parseUpstreamUrl } from '@ascribe/gateway'

/** The route of `--upstream URL`: every model, resource id `default` unless a trusted header names another. */
export function catchAllRoute(url: string): Route {
  const { origin, basePath } = parseUpstreamUrl(url)
  return {
    id: 'default',
    models: [],
    resourceId: 'default',
    upstream: { origin },
    basePath,
    forwardHeaders: new Set(),
    forwardRequestId: false,
    multipleChoices: 'count',
  }
}

/** Routes to the sandbox engine: one for each of its models, billed under the model's name. */
export function sandboxRoutes(url: string, models: readonly string[]): Route[] {
  return models.map((model) => ({ ...catchAllRoute(url), id: model, models: [model], resourceId: model, resourceType: 'model' }))
}
