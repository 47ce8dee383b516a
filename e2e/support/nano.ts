/** A decimal string in nano-units, read by other code than that under test. */
export function nano(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(`${whole}${fraction.padEnd(9, '0').slice(0, 9)}`)
}
