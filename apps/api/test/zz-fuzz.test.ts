import { test } from 'node:test'
import assert from 'node:assert/strict'
import { READ_ROUTES } from "@ascribe/contract/reads"
import { API_ROUTES } from "@ascribe/contract"
import { silentLogger, silentMeters } from '@ascribe/kit'
import { startApi } from '../src/index.ts'
import { openWorld } from './reads-support.ts'
import { serverSecret } from './support.ts'
test('fuzz', async () => {
  await using world = await openWorld()
  const logs: unknown[] = []
  const logger = { ...silentLogger, error: (m: string, f: unknown) => void logs.push([m, f]) }
  const trail = { append: async () => [], appendIn: async () => [], signedHead: async () => undefined } as never
  await using api = await startApi({ host: '127.0.0.1', port: 0 }, { db: world.db, trail, serverSecret, logger: logger as never, meters: silentMeters })
  const junk = ['', 'x', '0', '-1', '1e9', '99999999999999999999', 'null', '%00', '%F0%9F', '\u{1F600}', "'; drop table x; --", 'a'.repeat(1024), '9999-12-31', '9999-12', '2026-03', '0000-01', '9999-12-01', '0100-01-01', '0001-01-01', '2026-03-01', '2026-04-20', '2026-02-30', 'true', 'hour', 'total', 'month', 'model,apiKey', 'region', 'previous', '../..', '%2e%2e', '{}', '\ud800']
  const names = ['from', 'to', 'startDate', 'endDate', 'grain', 'groupBy', 'limit', 'cursor', 'children', 'compare', 'apiKey', 'user', 'model', 'meter', 'region', 'price', 'organization', 'state', 'kind', 'rows', 'format', "draft", "month"]
    const rnd = (n: number) => Math.floor(Math.random() * n)
  const statuses = new Map<string, number>()
  for (const def of [...API_ROUTES.filter(({ operationId }) => ["getStatement", "listUsageRecords", "getAccessLog"].includes(operationId)), ...READ_ROUTES]) {
    const own = def.operationId
    const shape = Object.keys((def.query as unknown as { shape: object }).shape)
    for (let i = 0; i < 150; i++) {
      const search = new URLSearchParams()
      if (shape.includes('from')) { search.set('from', rnd(3) ? ['2026-03-01', '9999-12-30', '9999-12-01', '0100-01-01', '2026-03-31'][rnd(5)]! : junk[rnd(junk.length)]!); search.set('to', rnd(3) ? ['2026-04-20', '9999-12-31', '0100-01-31', '2026-04-01'][rnd(4)]! : junk[rnd(junk.length)]!) }
      if (shape.includes('startDate')) { search.set('startDate', ['2026-03-01', '9999-12-30', '0100-01-01', junk[rnd(junk.length)]!][rnd(4)]!); search.set('endDate', ['2026-04-20', '9999-12-31', '0100-01-31', junk[rnd(junk.length)]!][rnd(4)]!) }
      for (const name of rnd(15) === 0 ? names : shape) if (rnd(3) === 0 && !['from', 'to', 'startDate', 'endDate'].includes(name)) search.append(name, junk[rnd(junk.length)]!)
      const path = def.path.replace('{id}', world.child.id).replace(/\{(charge|record|invoice|dimension)\}/g, () => encodeURIComponent([junk[rnd(junk.length)]!.replace('\ud800', ''), 'model', '2026-03-01T10-ffffffff-ffff-4fff-8fff-ffffffffffff', '9999-12-31T23-ffffffff-ffff-4fff-8fff-ffffffffffff', '2026-99-99T99-ffffffff-ffff-4fff-8fff-ffffffffffff'][rnd(5)]!))
      let r
      try { r = await fetch(`${api.url}${path}?${search}`, { headers: { authorization: `Bearer ${world.child.key}` }, signal: AbortSignal.timeout(5000) }); await r.text() } catch (e) { console.log('BROKE', path, String(search), e); continue }
      statuses.set(`${own} ${r.status}`, (statuses.get(`${own} ${r.status}`) ?? 0) + 1)
      if (r.status >= 500) console.log(r.status, `${path}?${search}`.slice(0, 300), logs.at(-1))
    }
  }
  console.log([...statuses].join('  '))
})
