import { useState } from 'react'
import type { ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getCatalogue, listApiKeys, listModels, listRecords } from '@ascribe/contract/operations'
import { useApi, useMayWrite } from '../../api/context.tsx'
import { readOptions, useRead } from '../../api/queries.ts'
import { useConsoleConfig } from '../../config-context.tsx'
import { addDays, formatInstantLong } from '../../format/dates.ts'
import { usePageHref } from '../../navigation.ts'
import { Card } from '../../ui/Card.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Icon } from '../../ui/Icon.tsx'
import { Link } from '../../ui/Link.tsx'
import { Notice } from '../../ui/Notice.tsx'
import { Page } from '../../ui/Page.tsx'
import { Segmented } from '../../ui/Segmented.tsx'
import { Select } from '../../ui/Select.tsx'
import { keyName } from '../keys/keys-view.ts'
import { Loaded } from '../Loaded.tsx'
import { useAllPages } from '../use-all-pages.ts'
import { useToday } from '../use-today.ts'
import { LANGUAGES, LANGUAGE_NAMES, modelsToTry, snippetOf } from './snippets.ts'
import type { Language } from './snippets.ts'
import '../pages.css'

/** While one waits for the first record. */
const ASK_AGAIN_MS = 5000
const DAYS_BACK = 30

/** From nothing to the first record: a key, a request that works here, and what becomes of it. */
export function StartPage(): ReactNode {
  const keys = useAllPages(listApiKeys, { query: { limit: 500 } })
  const models = useRead(getCatalogue, { params: { dimension: 'model' }, query: { limit: 500 } })
  const priced = useRead(listModels)
  const active = keys.data?.filter(({ state, scopes }) => state === 'active' && scopes.includes('inference'))
  return (
    <Page title="Getting started">
      <ol className="pages-steps">
        <li>
          <Card title="1. An API key">
            <Loaded query={{ ...keys, data: active }} what="the API keys" height={40}>
              {(found) => <KeyStep count={found.length} />}
            </Loaded>
          </Card>
        </li>
        <li>
          <Card title="2. A request">
            {/* Without the list of prices, those that were used: one of the two is enough to begin with. */}
            <Loaded
              query={{ ...models, data: active === undefined || priced.isPending ? undefined : models.data }}
              what="the models"
              height={260}
            >
              {({ data }) => (
                <Snippet
                  models={modelsToTry(
                    data.map(({ key }) => key),
                    priced.data?.data.map(({ id }) => id),
                  )}
                  keyNames={(active ?? []).map(keyName)}
                />
              )}
            </Loaded>
          </Card>
        </li>
        <li>
          <Card title="3. The record of it">
            <FirstRecord />
          </Card>
        </li>
      </ol>
    </Page>
  )
}

function KeyStep({ count }: { count: number }): ReactNode {
  const href = usePageHref()
  const mayWrite = useMayWrite()
  const create = (
    <Link kind={count === 0 ? 'primary' : 'text'} href={href({ page: 'new-key' })}>
      Create API key
    </Link>
  )
  if (count > 0)
    return (
      <p>
        <Icon name="check" /> {count} active {count === 1 ? 'key' : 'keys'} may send requests. {mayWrite && create}
      </p>
    )
  return mayWrite ? <p>{create}</p> : <p>No key may send requests yet. An administrator of your organization creates one.</p>
}

const PLACEHOLDER = 'your-key'

function Snippet({ models, keyNames }: { models: readonly string[]; keyNames: readonly string[] }): ReactNode {
  const { gatewayUrl } = useConsoleConfig()
  const mayWrite = useMayWrite()
  const [language, setLanguage] = useState<Language>('curl')
  const [model, setModel] = useState(models[0] ?? '')
  const [key, setKey] = useState(keyNames[0] ?? PLACEHOLDER)
  const href = usePageHref()
  if (gatewayUrl === undefined)
    return (
      <Notice kind="warning">This installation does not say where requests go. Ask whoever runs it for the address of the gateway.</Notice>
    )
  const hasModels = models.length > 0
  const text = snippetOf(language, { gatewayUrl, model: hasModels ? model : '<model>', keyName: key })
  return (
    <>
      <div className="ui-controls">
        <Segmented
          label="Language"
          value={language}
          onChange={setLanguage}
          options={LANGUAGES.map((id) => ({ id, label: LANGUAGE_NAMES[id] }))}
        />
        {hasModels && (
          <Select
            label="Model"
            value={model}
            onChange={setModel}
            options={models.map((id) => ({ id, label: id }))}
            isSearchable={models.length > 10}
          />
        )}
        {keyNames.length > 1 && (
          <Select
            label="Key"
            value={key}
            onChange={setKey}
            options={[...new Set(keyNames)].map((id) => ({ id, label: id }))}
            isSearchable={keyNames.length > 10}
          />
        )}
        <CopyButton text={text} size="m" />
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- It scrolls sideways: so it has to be reached by key. */}
      <pre className="pages-code" tabIndex={0} aria-label="Snippet">
        {text}
      </pre>
      {!hasModels && (
        <p className="pages-note">
          Put a model in the place of <code>&lt;model&gt;</code>. Those that there are:{' '}
          <code>{`curl -H "Authorization: Bearer $API_KEY" ${gatewayUrl.replace(/\/+$/, '')}/v1/models`}</code>
        </p>
      )}
      <p className="pages-small">
        The secret of a key is shown once, when it is made.
        {mayWrite && (
          <>
            {' '}
            Lost it? <Link href={href({ page: 'keys' })}>Rotate the key</Link>.
          </>
        )}
      </p>
    </>
  )
}

/** Asks until there is one, and then no more. */
function FirstRecord(): ReactNode {
  const api = useApi()
  const href = usePageHref()
  const today = useToday()
  const from = addDays(today, 1 - DAYS_BACK)
  const records = useQuery({
    ...readOptions(api, listRecords, { query: { from, to: today, limit: 1 } }),
    refetchInterval: ({ state }) => (state.data?.data.length === 0 ? ASK_AGAIN_MS : false),
  })
  return (
    <Loaded query={{ ...records, isFetching: false }} what="the records" height={40}>
      {({ data: [first] }) =>
        first === undefined ? (
          <p role="status">
            <Icon name="clock" /> Waiting for the first record. It shows up here within seconds of the request.
          </p>
        ) : (
          <p role="status">
            <Icon name="check" /> The newest record is of {formatInstantLong(new Date(first.event.started_unix_ms).toISOString())}
            {first.event.model !== undefined && `, ${first.event.model}`}.{' '}
            <Link href={href({ page: 'overview', search: { from, to: today } })}>Open Overview</Link>
          </p>
        )
      }
    </Loaded>
  )
}
