/** What is wrong with a form that begins to look; the server looks again. */
export function errorsOf(values: {
  readonly reason: string
  readonly ticket: string
}): readonly { readonly field: string; readonly message: string }[] {
  return [
    ...(values.reason.trim() === '' ? [{ field: 'reason', message: 'Say why you look: the customer reads it.' }] : []),
    ...(values.ticket.trim() === '' ? [{ field: 'ticket', message: 'Name the ticket that this is for.' }] : []),
  ]
}
