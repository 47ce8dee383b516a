/** What a client saw of one request. */
export type Seen = {
  /** Ours, from the reply's head; `undefined` when no head came. */
  readonly eventId: string | undefined
  /** Whether it got the whole reply: a parsable body, or a stream with its terminal event. */
  readonly whole: boolean
  /** Completion tokens by the reply's own usage, where it carried one. */
  readonly completionTokens: number | undefined
}

export type Ask = {
  readonly gateway: string
  readonly key: string
  readonly stream: boolean
  readonly maxTokens: number
  /** Leaves after so many milliseconds. */ readonly leaveAfterMs?: number
}

/** Asks for a chat completion as a plain client would, and never throws: whatever goes wrong is part of what was seen. */
export async function chat({ gateway, key, stream, maxTokens, leaveAfterMs }: Ask): Promise<Seen> {
  let eventId: string | undefined
  try {
    const reply = await fetch(`${gateway}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'sandbox-small',
        stream,
        max_tokens: maxTokens,
        messages: [{ role: 'user', content: 'tell me about ledgers' }],
        ...(stream && { stream_options: { include_usage: true } }),
      }),
      signal: AbortSignal.timeout(leaveAfterMs ?? 20_000),
    })
    eventId = reply.headers.get('x-request-id') ?? undefined
    const text = await reply.text()
    if (reply.status !== 200) return { eventId: undefined, whole: false, completionTokens: undefined }
    return stream ? ofStream(eventId, text) : ofJson(eventId, text)
  } catch {
    return { eventId, whole: false, completionTokens: undefined }
  }
}

type Usage = { readonly usage?: { readonly completion_tokens?: number } | null }

function ofJson(eventId: string | undefined, text: string): Seen {
  return { eventId, whole: true, completionTokens: (JSON.parse(text) as Usage).usage?.completion_tokens }
}

function ofStream(eventId: string | undefined, text: string): Seen {
  const data = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length))
  const events = data.filter((line) => line !== '[DONE]').map((line) => JSON.parse(line) as Usage)
  return {
    eventId,
    whole: data.includes('[DONE]'),
    completionTokens: events.findLast(({ usage }) => usage !== null && usage !== undefined)?.usage?.completion_tokens,
  }
}
