type StreamChoice = {
  readonly index: number
  readonly text?: string
  readonly delta?: { readonly content?: string | null }
}

/** One event of a stream of the OpenAI APIs, as far as tests look at it. */
export type StreamEvent = {
  readonly choices?: readonly StreamChoice[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

/** The events of a stream's body, each with the text it came as; `data: [DONE]` has none. */
export function eventsOf(body: Buffer | string): { readonly raw: string; readonly data: StreamEvent | undefined }[] {
  return String(body)
    .split(/(?<=\n\n|\r\n\r\n)/)
    .filter((raw) => raw.trim() !== '')
    .map((raw) => {
      const data = raw.replace(/^data: /, '').trim()
      return { raw, data: data === '[DONE]' ? undefined : (JSON.parse(data) as StreamEvent) }
    })
}

/** Events that carry a piece of text. */
export function contentEvents(body: Buffer | string): number {
  return eventsOf(body).filter(({ data }) => data?.choices?.some(({ text, delta }) => (text ?? delta?.content ?? '') !== '') === true)
    .length
}
