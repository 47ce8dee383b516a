/** A model that the engine serves. */
export type SandboxModel = {
  readonly id: string
  readonly kind: 'text' | 'reasoning' | 'embedding'
  /** Tokens of prompt and completion together. */
  readonly contextMax: number
}

/** What the engine serves; `prices.yaml` of this package prices each. */
export const SANDBOX_MODELS: readonly SandboxModel[] = [
  { id: 'sandbox-small', kind: 'text', contextMax: 131_072 },
  { id: 'sandbox-large', kind: 'text', contextMax: 131_072 },
  { id: 'sandbox-reasoner', kind: 'reasoning', contextMax: 131_072 },
  { id: 'sandbox-embed', kind: 'embedding', contextMax: 8192 },
]
