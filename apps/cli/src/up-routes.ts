import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'
import { SANDBOX_OUTPUT_TOKENS } from '@ascribe/sandbox'

/** Routes to the sandbox engine: one for each of its models, billed under the model's name. */
export function sandboxRoutes(url: string, models: readonly string[]): Route[] {
  const terms = { ...catchAllRoute(url), maxOutputTokens: SANDBOX_OUTPUT_TOKENS }
  return models.map((model) => ({ ...terms, id: model, models: [model], resourceId: model, resourceType: 'model' }))
}
