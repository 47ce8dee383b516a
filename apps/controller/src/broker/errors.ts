import { InputError } from '@ascribe/kit'

/** The broker cannot be served as it was asked for. */
export class BrokerConfigError extends InputError {
  override readonly code = 'BROKER_CONFIG_INVALID'
}
