import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'

/** Routes to the sandbox engine: one for each of its models, billed under the model's name. */
export function sandboxRoutes(url: string, models: readonly string[]): Route[] {
  return models.map((model) => ({ ...catchAllRoute(url), id: model, models: [model], resourceId: model, resourceType: 'model' }))
}
