/** A model that the engine serves. */
export type SandboxModel = {
  readonly id: string
  /** `media`: sound, images and rankings; it speaks as well as any other if it is asked to chat. */
  readonly kind: 'text' | 'reasoning' | 'embedding' | 'media'
  /** Tokens of prompt and completion together. */
  readonly contextMax: number
}

/** What the engine serves; `prices.yaml` of this package prices each. */
export const SANDBOX_MODELS: readonly SandboxModel[] = [
  { id: 'sandbox-small', kind: 'text', contextMax: 131_072 },
  { id: 'sandbox-large', kind: 'text', contextMax: 131_072 },
  { id: 'sandbox-reasoner', kind: 'reasoning', contextMax: 131_072 },
  { id: 'sandbox-embed', kind: 'embedding', contextMax: 8192 },
  // Their names say how their usage is counted: `whisper` by time, `plain` by the image.
  { id: 'sandbox-tts', kind: 'media', contextMax: 8192 },
  { id: 'sandbox-whisper', kind: 'media', contextMax: 8192 },
  { id: 'sandbox-transcribe', kind: 'media', contextMax: 8192 },
  { id: 'sandbox-image', kind: 'media', contextMax: 8192 },
  { id: 'sandbox-image-plain', kind: 'media', contextMax: 8192 },
  { id: 'sandbox-rerank', kind: 'media', contextMax: 8192 },
]
