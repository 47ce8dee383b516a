import type { Queryable } from '@ascribe/postgres'
import type { DirectoryDocument, DocumentProblem } from './document.ts'

/** What a document takes for granted and the ledger does not have. The caller holds lockDirectory(). */
export async function checkReferences(tx: Queryable, document: DirectoryDocument): Promise<readonly DocumentProblem[]> {
  return [
    ...(await checkCurrencies(tx, document)),
    ...(await checkOrganizations(tx, document)),
    ...(await checkGroups(tx, document)),
    ...(await checkKeys(tx, document)),
  ]
}

async function checkCurrencies(tx: Queryable, { organizations = [] }: DirectoryDocument): Promise<readonly DocumentProblem[]> {
  const stated = organizations.filter(({ currency }) => currency !== undefined)
  if (stated.length === 0) return []
  const { rows } = await tx.query<{ organization_id: string; currency: string }>(
    'select organization_id, currency from organization where organization_id = any($1::uuid[])',
    [stated.map(({ id }) => id)],
  )
  const currencies = new Map(rows.map((row) => [row.organization_id, row.currency]))
  return organizations.flatMap(({ id, currency }, index) => {
    const now = currencies.get(id)
    if (currency === undefined || now === undefined || now === currency) return []
    return [
      {
        place: { section: 'organizations' as const, index, field: 'currency' },
        message: `organization ${id} is billed in ${now} for ever, not in ${currency}`,
        hint: 'leave the currency out, or make another organization',
      },
    ]
  })
}

async function checkOrganizations(tx: Queryable, document: DirectoryDocument): Promise<readonly DocumentProblem[]> {
  const named: { readonly id: string; readonly problem: Pick<DocumentProblem, 'place'> }[] = []
  const note = (id: string | null | undefined, place: DocumentProblem['place']): void => {
    if (id !== undefined && id !== null) named.push({ id, problem: { place } })
  }
  document.organizations?.forEach(({ parent }, index) => note(parent, { section: 'organizations', index, field: 'parent' }))
  for (const section of ['groups', 'resources', 'mappings', 'keys'] as const)
    document[section]?.forEach(({ organization }, index) => note(organization, { section, index, field: 'organization' }))
  document.users?.forEach(({ organizations = [] }, index) => {
    for (const id of organizations) note(id, { section: 'users', index, field: 'organizations' })
  })
  const known = new Set(document.organizations?.map(({ id }) => id))
  const others = new Set(named.map(({ id }) => id).filter((id) => !known.has(id)))
  if (others.size > 0) {
    const { rows } = await tx.query<{ organization_id: string }>(
      'select organization_id from organization where organization_id = any($1::uuid[])',
      [[...others]],
    )
    for (const row of rows) known.add(row.organization_id)
  }
  return named
    .filter(({ id }) => !known.has(id))
    .map(({ id, problem }) => ({
      ...problem,
      message: `there is no organization ${id}`,
      hint: 'add it to organizations, or use one of `ascribe orgs list`',
    }))
}

async function checkGroups(tx: Queryable, document: DirectoryDocument): Promise<readonly DocumentProblem[]> {
  const { groups = [], users = [], mappings = [] } = document
  const owners = new Map(groups.map(({ id, organization }) => [id, organization]))
  const named = [...users.flatMap((user) => user.groups ?? []), ...mappings.flatMap(({ group }) => group ?? [])]
  const others = [...new Set(named)].filter((id) => !owners.has(id))
  if (others.length > 0) {
    const { rows } = await tx.query<{ group_id: string; organization_id: string }>(
      `select w.group_id, v.organization_id from unnest($1::text[]) as w (group_id)
       cross join lateral (
         select organization_id, ended from group_version v where v.group_id = w.group_id and v.valid_from <= clock_timestamp()
         order by valid_from desc, revision desc limit 1
       ) v where not v.ended`,
      [others],
    )
    for (const row of rows) owners.set(row.group_id, row.organization_id)
  }
  return [
    ...users.flatMap((user, index) =>
      (user.groups ?? [])
        .filter((id) => !owners.has(id))
        .map((id) => ({
          place: { section: 'users' as const, index, field: 'groups' },
          message: `there is no group ${JSON.stringify(id)}`,
          hint: 'add it to groups, with its organization',
        })),
    ),
    ...mappings.flatMap(({ group, organization }, index) => {
      const owner = group === undefined ? undefined : owners.get(group)
      // A mapping may name a group that the directory does not know; one that it knows must fit.
      if (owner === undefined || owner === organization) return []
      return [
        {
          place: { section: 'mappings' as const, index, field: 'group' },
          message: `group ${JSON.stringify(group)} is of organization ${owner}`,
          hint: 'map to that organization, or to a group of this one',
        },
      ]
    }),
  ]
}

async function checkKeys(tx: Queryable, { keys = [] }: DirectoryDocument): Promise<readonly DocumentProblem[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<{ public_id: string; auth_id: string }>(
    'select public_id, auth_id from credential_secret where public_id = any($1::text[])',
    [keys.map((key) => key.public_id)],
  )
  const owners = new Map(rows.map((row) => [row.public_id, row.auth_id]))
  const first = new Map<string, number>()
  return keys.flatMap(({ public_id: publicId, auth_id: authId }, index) => {
    const owner = owners.get(publicId)
    const twice = first.has(publicId)
    first.set(publicId, index)
    if (!twice && (owner === undefined || owner === authId)) return []
    return [
      {
        place: { section: 'keys' as const, index, field: 'public_id' },
        message: `public id ${publicId} is that of another key`,
        hint: 'a public id names one key; make a new key for one of the two',
      },
    ]
  })
}
