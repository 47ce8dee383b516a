import { CAPI } from './names.ts'

/**
 * Our name among Cluster API's providers (C-51): that of a third party begins with its organization's. The acronym CAPCS belongs to
 * cloudscale.ch; ours is CAPAS.
 */
export const PROVIDER_NAME = 'ascribe-cloudsigma'
export const PROVIDER_LABEL: string = `infrastructure-${PROVIDER_NAME}`
export const PROVIDER_SHORT_NAME = 'CAPAS'
/** On everything that is installed. */
export const PROVIDER_LABELS: Readonly<Record<string, string>> = { [CAPI.provider]: PROVIDER_LABEL }
