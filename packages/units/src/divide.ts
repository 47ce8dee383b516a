/** Divides and rounds to the nearest integer, ties away from zero: 5/2 is 3, -5/2 is -3. `denominator` must be positive. */
export function divideHalfAwayFromZero(numerator: bigint, denominator: bigint): bigint {
  assertPositive(numerator, denominator)
  const size = numerator < 0n ? -numerator : numerator
  // BigInt division truncates; on a size, that is the floor.
  const rounded = (size * 2n + denominator) / (denominator * 2n)
  return numerator < 0n ? -rounded : rounded
}

/** Divides without a remainder; `undefined` when there is one. `denominator` must be positive. */
export function divideExact(numerator: bigint, denominator: bigint): bigint | undefined {
  assertPositive(numerator, denominator)
  return numerator % denominator === 0n ? numerator / denominator : undefined
}

function assertPositive(numerator: bigint, denominator: bigint): void {
  if (denominator <= 0n) throw new RangeError(`Cannot divide ${numerator} by ${denominator}: the denominator must be positive`)
}
