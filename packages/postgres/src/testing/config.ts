/** The server that tests use instead of the embedded one: a `postgresql://` URL of a role that may create databases, PostgreSQL 15 or later. */
export function externalTestUrl(): string | undefined {
  const url = process.env['ASCRIBE_TEST_DATABASE_URL']
  return url === undefined || url === '' ? undefined : url
}
