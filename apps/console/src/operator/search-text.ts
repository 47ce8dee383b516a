/**
 * What is looked for, without the secret part of an API key: whoever was sent a whole key pastes it, and what is asked for stands in the address, in the
 * history of the browser and for ever in the log. What is left of a key, its public id, finds its organization as well.
 */
export function withoutSecret(text: string): string {
  return text.replaceAll(/\bask_([0-9a-z]{12})_[0-9a-z]*/gi, '$1')
}
