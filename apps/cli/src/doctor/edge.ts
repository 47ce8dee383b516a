import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseUpstreamUrl } from '@ascribe/gateway/routes'
import { openKeyDirectory } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { createEdgeProbe } from '@ascribe/identity/edge-probe'
import { InputError, errorChain, systemClock } from '@ascribe/kit'
import { HttpCallError, exchangeRaw } from '@ascribe/service'
import type { RawReply } from '@ascribe/service'
import type { Context } from '../context.ts'
import { serverSecretOf } from '../server-secret.ts'
import { DISGUISES, HONEST } from './edge-disguises.ts'
import type { Disguise, Plain } from './edge-disguises.ts'
import { judge, judgeHonest, judgeWithoutKey, readArrival } from './edge-verdict.ts'
import type { Finding } from './examine.ts'

export type EdgeOptions = {
  /** Of the API, with or without /v1, as clients reach it through the edge. */
  readonly url: string
  /** Holds a key or token that may be used for inference; `-`: standard input. */
  readonly keyFile: string
  readonly caFile?: string
}

/** What is asked of a live edge, one exchange after the other. */
class Examination {
  readonly #options: { readonly origin: string; readonly target: string; readonly prefix: string; readonly ca: string | undefined }
  readonly #secret: ServerSecret
  /** Of nobody else: whoever has seen one of these values has seen it through the edge. */
  readonly canary: string = `forged-${randomBytes(6).toString('hex')}`

  constructor(
    options: { readonly origin: string; readonly target: string; readonly prefix: string; readonly ca: string | undefined },
    secret: ServerSecret,
  ) {
    this.#options = options
    this.#secret = secret
  }

  async ask({ write }: Disguise, credential: readonly string[]): Promise<RawReply> {
    const { origin, target, prefix, ca } = this.#options
    const body = JSON.stringify({
      // A token each: it is taken once.
      model: createEdgeProbe(this.#secret, systemClock()),
      messages: [{ role: 'user', content: 'What arrived?' }],
      max_tokens: 1,
    })
    const plain: Plain = { origin, target, prefix, host: new URL(origin).host, credential, body }
    return exchangeRaw({ origin, bytes: write(plain, this.canary), ...(ca !== undefined && { ca }) })
  }
}

/**
 * Sends forged identity headers through a live edge in every disguise, and asks the gateway behind it what arrived. Nothing is generated,
 * recorded or billed. @throws {InputError} when it cannot be tried
 */
export async function* examineEdge(context: Context, options: EdgeOptions): AsyncGenerator<Finding, void, undefined> {
  const { origin, basePath } = parseUpstreamUrl(options.url)
  const key = readKey(options.keyFile)
  const prefix = context.config.gateway.header_prefix
  const secret = serverSecretOf(context)
  const ca = options.caFile === undefined ? undefined : readText(options.caFile, 'the certificate authorities')
  const examination = new Examination({ origin, target: `${basePath}/chat/completions`, prefix, ca }, secret)
  const credential = [`Authorization: Bearer ${key}`]
  let honest: RawReply
  try {
    honest = await examination.ask(HONEST, credential)
  } catch (error) {
    if (!(error instanceof HttpCallError)) throw error
    yield { what: HONEST.name, state: 'wrong', detail: errorChain(error), mend: 'Start the proxy, or mend the URL.' }
    return
  }
  const baseline = readArrival(honest)
  const first = judgeHonest(honest, { expectedAuthId: authIdOf(context, key, secret), prefix })
  yield { what: HONEST.name, ...first }
  if (baseline === undefined || first.state === 'wrong') return
  for (const disguise of DISGUISES) {
    yield await finding(disguise.name, async () =>
      judge(await examination.ask(disguise, credential), { baseline, canary: examination.canary }),
    )
  }
  for (const [who, lines] of [
    ['no key', []],
    ['a bad key', ['Authorization: Bearer not-a-key']],
  ] as const) {
    for (const disguise of DISGUISES) {
      const found = await finding(`${who}, ${disguise.name}`, async () => judgeWithoutKey(await examination.ask(disguise, lines)))
      if (found.state !== 'fine') yield found
    }
    yield { what: who, state: 'fine', detail: `${DISGUISES.length} disguises were tried; whatever is not listed here was refused` }
  }
}

async function finding(what: string, look: () => Promise<Omit<Finding, 'what'>>): Promise<Finding> {
  try {
    return { what, ...(await look()) }
  } catch (error) {
    // A proxy may leave what is malformed without any answer.
    if (error instanceof HttpCallError) return { what, state: 'note', detail: `no answer: ${errorChain(error)}` }
    throw error
  }
}

function readKey(file: string): string {
  const key = readText(file === '-' ? 0 : file, 'the key').trim()
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new InputError('Cannot examine the edge: the key file holds something else than one key or token', {
      hint: 'Put one key that may be used for inference into it, and nothing else.',
    })
  }
  return key
}

function readText(file: string | 0, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(`Cannot read ${what}: ${errorChain(cause)}`)
  }
}

/** Whose the key is, if the policy snapshot here knows it; a token's is not known. */
function authIdOf({ dir, logger }: Context, key: string, serverSecret: ServerSecret): string | undefined {
  using keys = openKeyDirectory({ path: dir.policy, serverSecret, logger })
  return keys.find(key)?.authId
}
