/** Remembers the last answer: rows of an export come in order, so that the next one asks the same of its hour, its month and its rate. */
export function rememberLast<Value extends string | number | bigint>(compute: (value: Value) => string): (value: Value) => string {
  let lastValue: Value | undefined
  let last = ''
  return (value) => {
    if (value !== lastValue) {
      last = compute(value)
      lastValue = value
    }
    return last
  }
}
