import { AscribeError } from '@ascribe/kit'

export type RefusalOptions = { readonly type?: string; readonly param?: string; readonly openaiCode?: string }

/** A request that the engine does not serve, with what OpenAI's error body says about it. */
export class RefusalError extends AscribeError {
  override readonly code = 'SANDBOX_REFUSED'
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly openaiCode: string | null

  constructor(status: number, message: string, options: RefusalOptions = {}) {
    super(message)
    this.status = status
    this.type = options.type ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
    this.param = options.param ?? null
    this.openaiCode = options.openaiCode ?? null
  }

  /** Anthropic's error body. */
  messagesBody(): string {
    const type = this.status === 401 ? 'authentication_error' : this.status >= 500 ? 'api_error' : this.type
    return JSON.stringify({ type: 'error', error: { type, message: this.message } })
  }

  /** OpenAI's error body. */
  body(): string {
    return JSON.stringify({ error: { message: this.message, type: this.type, param: this.param, code: this.openaiCode } })
  }
}
