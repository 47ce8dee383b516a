import { fileURLToPath } from 'node:url'

/** Demo prices for the models of the sandbox engine. */
export const SANDBOX_PRICES: string = fileURLToPath(import.meta.resolve('@ascribe/sandbox/prices.yaml'))
