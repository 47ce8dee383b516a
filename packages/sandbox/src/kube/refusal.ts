/** What a Status says instead of the object. */
export class Refusal extends Error {
  readonly status: number
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, reason: string, facts: { readonly message: string; readonly details?: Readonly<Record<string, unknown>> }) {
    super(facts.message)
    this.status = status
    this.reason = reason
    this.details = facts.details ?? {}
  }

  body(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.status,
    }
  }
}

export function notFound(plural: string, name: string): Refusal {
  return new Refusal(404, 'NotFound', { message: `${plural} "${name}" not found`, details: { name, kind: plural } })
}

export function conflict(plural: string, name: string): Refusal {
  const message = `Operation cannot be fulfilled on ${plural} "${name}": the object has been modified; please apply your changes to the latest version and try again`
  return new Refusal(409, 'Conflict', { message, details: { name, kind: plural } })
}

export function invalid(name: string, field: string, why: string): Refusal {
  const message = `"${name}" is invalid: ${field}: ${why}`
  return new Refusal(422, 'Invalid', { message, details: { name, causes: [{ reason: 'FieldValueInvalid', message: why, field }] } })
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'BadRequest', { message })
}

export function expired(): Refusal {
  return new Refusal(410, 'Expired', { message: 'The resourceVersion for the provided watch or list is too old.' })
}
