/** Who opens the pages: a customer, or an operator who views as one. */
export type ConsoleMode = 'customer' | 'operator'

/**
 * What the server says about this page, once for each load, as a JSON data block in it. Frozen: nothing in the console changes it, and no
 * component looks at host names instead.
 */
export type ConsoleConfig = {
  readonly mode: ConsoleMode
  /** Origin of the API; empty: that of the page. */
  readonly apiBase: string
  /** Of the page's own paths, with a slash at its end. */
  readonly basePath: string
  /** Who runs this installation, by the name that it has given; absent: it has given none. */
  readonly providerName?: string
  /** The same for a sentence: "People at {provider} can view these pages". */
  readonly provider: string
  /** Whether customers can sign in here. */
  readonly hasLogin: boolean
  /** Whether exports are offered: always to customers; to operators if the installation allows it. */
  readonly mayExport: boolean
  /** The one organization that a page of an environment's host can show (two-origin form); absent: any. */
  readonly organizationId?: string
  /** Where requests to models go, for "Getting started"; absent where the server does not know it. */
  readonly gatewayUrl?: string
  /** The server's clock when it made the page, epoch milliseconds: time left is told by it, not by the machine's. */
  readonly now: number
}

/** Reads the data block of a page. @throws {Error} when there is none, or it is none of ours */
export function parseConfig(text: string): ConsoleConfig {
  const config: unknown = JSON.parse(text)
  if (typeof config !== 'object' || config === null || !('mode' in config)) throw new Error('Cannot read the configuration of this page')
  // The server writes the block from a value of this very type; it is not input of anybody.
  const given = config as Omit<ConsoleConfig, 'provider'> & { readonly provider?: string }
  const name = given.provider === undefined ? {} : { providerName: given.provider }
  return Object.freeze({ ...given, ...name, provider: given.provider ?? 'the provider' })
}
