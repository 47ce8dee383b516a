/** The fields of a form-encoded body. */
export type Form = URLSearchParams

const FORM_TYPE = 'application/x-www-form-urlencoded'

/** An empty form for any other content type, as Keycloak reads it. */
export function parseForm(contentType: string | undefined, body: string): Form {
  const isForm = contentType?.split(';', 1)[0]?.trim().toLowerCase() === FORM_TYPE
  return new URLSearchParams(isForm ? body : '')
}

/** Whether a field that may stand once stands twice. */
export function hasDuplicate(form: Form, repeatable: ReadonlySet<string> = new Set()): boolean {
  const seen = new Set<string>()
  for (const name of form.keys()) {
    if (seen.has(name) && !repeatable.has(name)) return true
    seen.add(name)
  }
  return false
}
