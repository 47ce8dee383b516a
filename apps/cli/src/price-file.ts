import { readFileSync } from 'node:fs'
import { InputError, errorCode } from '@ascribe/kit'
import { parsePriceBook } from '@ascribe/rating'
import type { KnownOrganizations, PriceBook } from '@ascribe/rating'

/** A price book as a file holds it. */
export type PriceFile = { readonly file: string; readonly text: string; readonly book: PriceBook }

/** Reads and checks a price book; with `organizations`, those that it names too. @throws {InputError} when it cannot be read or is no price book; every problem is named with its line */
export function readPriceFile(file: string, options: { readonly organizations?: KnownOrganizations } = {}): PriceFile {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new InputError(`Cannot read the price book ${file}: ${errorCode(cause) ?? 'it cannot be opened'}`, { cause })
  }
  let text: string
  try {
    // Strictly: bytes that are no text would be hashed, and billed, as something else than what is in the file.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new InputError(`Cannot read the price book ${file}: it is not UTF-8`, { cause })
  }
  return { file, text, book: parsePriceBook(text, { file, ...options }) }
}
