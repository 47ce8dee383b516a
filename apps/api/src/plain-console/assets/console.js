// The plain console: a client of the API and nothing more. Under impersonation it sends simple GETs only (billing-view.md 1.3).

const $ = (id) => document.querySelector(`#${id}`)
const { apiOrigin, isInternal } = await (await fetch(`${document.body.dataset.base}/config.json`)).json()

/** 26 characters of canonical base32 in the first label of the host are 128 bits, the organization (R8, R9). */
function organizationOfHost(host) {
  const [, text] = /^(?:mz-)?[a-z0-9-]+-([a-z2-7]{26})-\d+\./.exec(host) ?? []
  if (text === undefined) return undefined
  let bits = 0n
  for (const character of text) bits = (bits << 5n) | BigInt('abcdefghijklmnopqrstuvwxyz234567'.indexOf(character))
  if ((bits & 3n) !== 0n) throw new Error('The host names no organization.')
  const hex = (bits >> 2n).toString(16).padStart(32, '0')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const organization = isInternal
  ? (organizationOfHost(location.hostname) ?? new URLSearchParams(location.search).get('organization'))
  : undefined

class ApiError extends Error {
  constructor(status, { code, message, requestId }) {
    super(message)
    Object.assign(this, { status, code, requestId })
  }
}

async function ask(path, init = {}) {
  // Nothing but Accept: any other header would make the browser ask Teleport first.
  const headers = isInternal ? { accept: organization } : {}
  let response
  try {
    response = await fetch(apiOrigin + path, { credentials: 'include', headers, ...init })
  } catch {
    // Teleport sends whoever is not signed in elsewhere, and says so to no script (R13).
    throw new ApiError(0, { code: 'session_ended', message: 'Your session has ended.' })
  }
  const body = response.status === 204 ? undefined : await response.json()
  if (!response.ok) throw new ApiError(response.status, body)
  return { body, response }
}

function show(id, isShown = true) {
  $(id).hidden = !isShown
}

function say(text) {
  $('message').textContent = text
  show('message')
}

function row(...cells) {
  const made = document.createElement('tr')
  for (const text of cells) made.insertCell().textContent = text
  return made
}

/** Decimal texts are added as whole numbers: no float touches money. */
function sum(amounts) {
  const places = 18
  const units = (text) => {
    const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
    return BigInt(`${sign}${whole}${fraction.padEnd(places, '0')}`)
  }
  const total = amounts.reduce((all, text) => all + units(text), 0n)
  const digits = (total < 0n ? -total : total).toString().padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '').padEnd(2, '0')
  return `${total < 0n ? '-' : ''}${digits.slice(0, -places)}.${fraction}`
}

/** R10, R26: who looks, at whom, why, and for how long. */
async function banner({ name }, response) {
  const acting = response.headers.get('x-acting-as') ?? ''
  const [, id = '', operator = ''] = /^organization=([^;]*); operator=(.*)$/.exec(acting) ?? []
  const { body: session } = await ask('/v1/acting-session')
  const why = [session.reason, session.ticket].filter(Boolean).join(', ')
  const minutes = Math.max(0, Math.ceil((Date.parse(response.headers.get('x-acting-expires')) - Date.now()) / 60_000))
  const exit = document.createElement('button')
  exit.textContent = 'Exit'
  exit.addEventListener('click', () => send('/v1/acting-sessions/end', { organization }))
  $('banner').replaceChildren(
    `${decodeURIComponent(operator)} views ${name} (${id}): ${why || 'no reason given'}. Read-only. ${minutes} minutes left.`,
    exit,
  )
  document.title = `[viewing] ${document.title}`
  show('banner')
}

async function load() {
  const { body: found, response } = await ask('/api/organization')
  if (isInternal) await banner(found, response)
  $('organization').textContent = `${found.name} (${found.id})`
  const { body: money } = await ask(`/v1/organizations/${found.id}/credits`)
  $('currency').textContent = money.currency
  const today = new Date().toISOString().slice(0, 10)
  const { body: costs } = await ask(`/api/costs/breakdown/daily?startDate=${today.slice(0, 8)}01&endDate=${today}`)
  for (const { startDate, accounts } of costs.days) {
    const amounts = accounts.flatMap(({ clusters }) => clusters.flatMap((cluster) => Object.values(cluster.amounts)))
    $('costs').tBodies[0].append(row(startDate.slice(0, 10), sum(amounts)))
  }
  const { body: log } = await ask(`/v1/organizations/${found.id}/access-log?limit=50`)
  for (const { at, actor, act, kind, method = '', path = '' } of log.data) {
    const why = act === undefined ? '' : `${act.reason ?? ''} ${act.ticket ?? ''}`
    $('log').tBodies[0].append(row(at, actor.id ?? '(erased)', why, `${kind} ${method} ${path}`))
  }
  show('page')
  show('sign-out', !isInternal)
}

/** A form, which is a simple request, and then the page anew. */
function send(path, fields) {
  ask(path, { method: 'POST', headers: {}, body: new URLSearchParams(fields) }).then(
    () => location.reload(),
    (error) => say(`${error.message} (${error.requestId})`),
  )
}

$('start').addEventListener('submit', (event) => {
  event.preventDefault()
  send('/v1/acting-sessions', { organization, ...Object.fromEntries(new FormData($('start'))) })
})

// Not by the form itself: its answer leads to the identity provider, where the policy of this page lets no form go.
$('sign-out').addEventListener('submit', (event) => {
  event.preventDefault()
  ask('/logout', { method: 'POST', headers: { accept: 'application/json' } }).then(
    ({ body }) => location.assign(body.endSessionUrl ?? '/console/'),
    (error) => say(`${error.message} (${error.requestId})`),
  )
})

/** A member of several organizations says which one he means. */
async function choose() {
  const { body: me } = await ask('/v1/me')
  for (const { id, name } of me.organizations) {
    const button = document.createElement('button')
    button.textContent = name
    button.addEventListener('click', () => send('/v1/me/organization', { organization: id }))
    $('choose').append(button)
  }
  show('choose')
}

try {
  if (isInternal && !organization) throw new Error('Open this page under the host of an environment, or add ?organization=ID.')
  await load()
} catch (error) {
  const needsReason = ['acting_session_required', 'acting_session_ended'].includes(error.code)
  const needsSignIn = error.code === 'session_ended' || error.status === 401
  if (!(needsSignIn && !isInternal)) say(error.requestId === undefined ? error.message : `${error.message} (${error.requestId})`)
  if (needsReason) show('start')
  if (error.code === 'organization_required' && !isInternal) await choose()
  if (needsSignIn) {
    const here = location.href.replace(/#.*/, '')
    const returnTo = location.pathname + location.search
    $('sign-in-link').href = isInternal
      ? `${apiOrigin}/redirect?to=${encodeURIComponent(here)}`
      : `/login?returnTo=${encodeURIComponent(returnTo)}`
    show('sign-in')
  }
}
