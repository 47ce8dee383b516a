import type { Generation } from './generation.ts'
import { countsOf, styleOf, usageOf } from './reply-shapes.ts'
import { hashText } from './tokens.ts'

const DIMENSIONS = 64

/** The JSON of an embeddings reply: vectors of length 1 that follow from the text alone. */
export function embeddingReply(generation: Generation): string {
  const { request } = generation
  const isLlama = styleOf(generation) === 'llama'
  const data = request.prompts.map((text, index) => {
    const vector = vectorOf(text)
    const embedding = request.base64 ? Buffer.from(vector.buffer).toString('base64') : [...vector]
    if (isLlama) return { embedding, index, object: 'embedding', ...(request.base64 ? { encoding_format: 'base64' } : {}) }
    return { object: 'embedding', index, embedding }
  })
  const usage = request.faults.usage === 'none' ? {} : { usage: usageOf(generation, countsOf(generation)) }
  const model = request.modelName
  if (isLlama) return JSON.stringify({ model, object: 'list', ...usage, data })
  return JSON.stringify({ object: 'list', data, model, ...usage })
}

function vectorOf(text: string): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(DIMENSIONS)
  let hash = hashText(text)
  for (let index = 0; index < DIMENSIONS; index += 1) {
    hash = hashText('next', hash)
    vector[index] = hash / 0x80000000 - 1
  }
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
