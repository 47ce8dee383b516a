import type { Api } from '@ascribe/usage'

export type BillableApi = Exclude<Api, 'free'>

/**
 * What becomes of requests for a path. It is compared as it is: no decoding, no dot segments, no trailing slash; one that ends in `/*` stands for
 * everything below it. A path without a rule is refused.
 */
export type PathRule = { readonly path: string } & (
  | { readonly rule: 'billable'; /** How it is metered. */ readonly api: BillableApi }
  /** Sent on, recorded, and charged nothing. */
  | { readonly rule: 'free'; /** Default `POST`. */ readonly method?: 'GET' | 'POST' }
  | { readonly rule: 'refused'; readonly code: string; readonly message: string }
)

const BILLABLE: Readonly<Record<BillableApi, readonly string[]>> = {
  chat: ['/v1/chat/completions'],
  completions: ['/v1/completions'],
  embeddings: ['/v1/embeddings'],
  responses: ['/v1/responses'],
  messages: ['/v1/messages'],
  speech: ['/v1/audio/speech'],
  transcriptions: ['/v1/audio/transcriptions', '/v1/audio/translations'],
  images: ['/v1/images/generations', '/v1/images/edits', '/v1/images/variations'],
  // As Jina and vLLM, Cohere, and llama-server call it.
  rerank: ['/v1/rerank', '/v2/rerank', '/rerank', '/v1/reranking'],
}

/** They count or take apart text, and generate nothing. */
const FREE = ['/v1/messages/count_tokens', '/v1/responses/input_tokens', '/tokenize', '/detokenize', '/apply-template']

type Family = { readonly code: string; readonly message: string; readonly paths: readonly string[] }

/** What we know and do not meter, so that whoever asks learns why. `PATH/*` and `PATH` are told alike. */
const REFUSED: readonly Family[] = [
  {
    code: 'realtime_not_served',
    message: 'Realtime sessions are refused: what passes in them cannot be metered here. Use plain requests or event streams.',
    paths: ['/v1/realtime'],
  },
  {
    code: 'batches_not_served',
    message: 'Batches are refused: what they generate is fetched later, past the meter. Send each request by itself.',
    paths: ['/v1/batches', '/v1/messages/batches'],
  },
  {
    code: 'files_not_served',
    message:
      'Files are refused: this gateway keeps none, and what is made of them later could not be metered. Send the content with the request.',
    paths: ['/v1/files', '/v1/uploads', '/v1/containers'],
  },
  {
    code: 'stored_replies_not_served',
    message: 'Replies that an engine has stored cannot be fetched, changed or deleted here. Read the reply to the request itself.',
    paths: ['/v1/responses/*', '/v1/chat/completions/*', '/v1/conversations'],
  },
  {
    code: 'assistants_not_served',
    message:
      'Assistants, threads and vector stores are refused: what they generate cannot be metered here. Use /v1/responses or /v1/chat/completions.',
    paths: ['/v1/assistants', '/v1/threads', '/v1/vector_stores'],
  },
  {
    code: 'fine_tuning_not_served',
    message: 'Fine-tuning and evaluations are refused: what they cost cannot be metered here.',
    paths: ['/v1/fine_tuning', '/v1/fine-tunes', '/v1/evals'],
  },
  { code: 'videos_not_served', message: 'Videos are refused: nobody has decided how they are metered.', paths: ['/v1/videos'] },
  {
    code: 'moderations_not_served',
    message: 'Moderations are refused: nobody has decided how they are metered.',
    paths: ['/v1/moderations'],
  },
  {
    code: 'engine_path_not_served',
    message:
      "This path is an engine's own, and is refused: it is not metered here. Use the API below /v1, for example /v1/chat/completions.",
    paths: [
      '/completion',
      '/completions',
      '/chat/completions',
      '/infill',
      '/embedding',
      '/embeddings',
      '/generate',
      '/invocations',
      '/inference/v1/generate',
      '/pooling',
      '/classify',
      '/score',
      '/v1/score',
      '/v1/pooling',
      '/v1/classify',
      '/api/chat',
      '/api/generate',
      '/api/embed',
      '/api/embeddings',
    ],
  },
]

/** The rules of every installation. */
export const PATH_RULES: readonly PathRule[] = [
  ...(Object.keys(BILLABLE) as BillableApi[]).flatMap((api) => BILLABLE[api].map((path) => ({ path, rule: 'billable', api }) as const)),
  ...FREE.map((path) => ({ path, rule: 'free' }) as const),
  ...REFUSED.flatMap(({ paths, code, message }) =>
    paths.flatMap(withBelow).map((path) => ({ path, rule: 'refused', code, message }) as const),
  ),
]

function withBelow(path: string): readonly string[] {
  return path.endsWith('/*') ? [path] : [path, `${path}/*`]
}
