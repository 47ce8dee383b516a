import type { Reply } from '@ascribe/relay'
import { invalidRequest, jsonReply } from './replies.ts'

type Model = { readonly id: string; readonly object: 'model'; readonly created: number; readonly owned_by: string }

/** When a model was made is not ours to say; clients only want a number there. */
const modelOf = (id: string): Model => ({ id, object: 'model', created: 0, owned_by: 'ascribe' })

/** `GET /v1/models`: the models that have a route, in OpenAI's shape. */
export function modelsReply(models: readonly string[]): Reply {
  return jsonReply(200, { object: 'list', data: models.map(modelOf) })
}

/** `GET /v1/models/{id}`. */
export function modelReply(models: readonly string[], id: string): Reply {
  if (models.includes(id)) return jsonReply(200, modelOf(id))
  return invalidRequest(`The model \`${id.slice(0, 200)}\` does not exist or you do not have access to it.`, {
    status: 404,
    code: 'model_not_found',
    param: 'model',
  })
}
