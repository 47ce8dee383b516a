import { performance } from 'node:perf_hooks'
import type { Logger } from '@ascribe/kit'
import { errorChain } from '@ascribe/kit'
import type { DeploymentEntry, DeploymentList } from '@ascribe/identity'
import { createUpstreamProbe } from '@ascribe/relay'
import { createRouteTable } from '../routes.ts'
import type { Route, RouteTable, Wanted } from '../routes.ts'
import type { Balance } from './balance.ts'
import { HealthChecks } from './health-checks.ts'
import type { LastGood } from './last-good.ts'
import type { RoutingMeters } from './routing-meters.ts'
import { UpstreamSet } from './upstream-set.ts'

export type RouteBookOptions = {
  /** Of the configuration. */
  readonly routes: readonly Route[]
  /** Turns a deployment of the directory into a route. Absent: there is no directory. @throws {InputError} */
  readonly readDeployment?: ((entry: DeploymentEntry) => Route) | undefined
  readonly lastGood: LastGood
  /** Looks for a newer directory at once, which then comes by {@link RouteBook.follow}. */
  readonly refresh?: () => void
  readonly logger: Logger
  readonly meters: RoutingMeters
}

/**
 * The route table in force, made of the configuration's routes and the directory's deployments. Either may change at any time: the new table
 * takes the place of the old one between two requests, and those under way keep theirs. One that cannot be used is refused, and the old one stays.
 */
export class RouteBook implements RouteTable, AsyncDisposable {
  readonly #options: RouteBookOptions
  readonly #probe = createUpstreamProbe()
  readonly #checks: HealthChecks
  #configured: readonly Route[]
  #directory: { readonly list: DeploymentList; readonly routes: readonly Route[] } | undefined
  #refused: string | undefined
  #table: RouteTable
  #sets = new Map<Balance, UpstreamSet>()
  #trouble: string | undefined

  /** With the last good directory, until a newer one is followed. @throws {InputError} */
  constructor(options: RouteBookOptions) {
    this.#options = options
    this.#checks = new HealthChecks({ probe: this.#probe, now: () => performance.now(), random: () => Math.random() })
    this.#configured = options.routes
    this.#table = this.#adopt(options.routes, undefined)
    const last = options.readDeployment === undefined ? undefined : this.#readLastGood()
    if (last !== undefined) this.follow(last)
  }

  find(wanted: Wanted): Route | undefined {
    const found = this.#table.find(wanted)
    if (found !== undefined) return found
    // Somebody may just have said where it goes.
    this.#options.refresh?.()
    return this.#table.find(wanted)
  }

  get models(): readonly string[] {
    return this.#table.models
  }

  /** Why what was said last is not in force; `undefined`: it is. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** The upstreams of a route that has several, or whose one is looked after. */
  setOf(balance: Balance): UpstreamSet {
    // A request that found its route before the table changed.
    return this.#sets.get(balance) ?? this.#setFor(balance, undefined)
  }

  /** Puts other routes of the configuration in force. @throws {InputError} when they cannot be used; then nothing has changed. */
  reroute(routes: readonly Route[]): void {
    this.#table = this.#adopt(routes, this.#directory?.routes)
    this.#configured = routes
    this.#settled('configuration', routes.length)
  }

  /** Notes that a configuration came which cannot be used. */
  refuse(error: unknown): void {
    this.#trouble = `the routes of the configuration are refused: ${errorChain(error)}`
    this.#options.meters.tables.add(1, { source: 'configuration', outcome: 'refused' })
  }

  /** Puts a directory in force, if it is news and can be used. A refused one is logged once. */
  follow(list: DeploymentList): void {
    const { readDeployment, lastGood, logger } = this.#options
    if (readDeployment === undefined) return
    const current = this.#directory?.list
    if (current !== undefined && current.ledger === list.ledger && list.version <= current.version) return
    const name = `${list.ledger}/${list.version}`
    if (name === this.#refused) return
    try {
      const routes = list.entries.map(readDeployment)
      this.#table = this.#adopt(this.#configured, routes)
      this.#directory = { list, routes }
    } catch (error) {
      this.#refused = name
      this.#trouble = `the directory of version ${list.version} is refused: ${errorChain(error)}`
      this.#options.meters.tables.add(1, { source: 'directory', outcome: 'refused' })
      logger.error('deployments of the ledger cannot be used, the last good ones stay in force', { version: list.version, error })
      return
    }
    this.#settled('directory', list.entries.length)
    try {
      lastGood.write(list)
    } catch (error) {
      logger.error('deployments cannot be kept on disk: a restart without the policy snapshot would not know them', { error })
    }
  }

  #readLastGood(): DeploymentList | undefined {
    try {
      return this.#options.lastGood.read()
    } catch (error) {
      this.#options.logger.error('the last good deployments cannot be read', { error })
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#checks[Symbol.dispose]()
    await this.#probe.close()
  }

  #settled(source: 'configuration' | 'directory', count: number): void {
    this.#trouble = undefined
    this.#options.meters.tables.add(1, { source, outcome: 'adopted' })
    this.#options.logger.info('route table in force', { source, routes: count, models: this.#table.models.length })
  }

  #adopt(configured: readonly Route[], deployments: readonly Route[] | undefined): RouteTable {
    const table = createRouteTable(configured, deployments)
    for (const what of table.leftOut)
      this.#options.logger.warn('deployment left out: the configuration has a route for it', { deployment: what })
    this.#follow([...configured, ...(deployments ?? [])])
    return table
  }

  #follow(routes: readonly Route[]): void {
    const before = [...this.#sets.values()]
    const sets = new Map<Balance, UpstreamSet>()
    for (const { balance, id } of routes) {
      if (balance === undefined) continue
      sets.set(balance, this.#sets.get(balance) ?? this.#setFor(balance, id, before))
    }
    this.#sets = sets
    this.#checks.follow(sets.values())
  }

  #setFor(balance: Balance, route: string | undefined, before: readonly UpstreamSet[] = []): UpstreamSet {
    const { logger } = this.#options
    const set = new UpstreamSet(balance, {
      now: () => performance.now(),
      random: () => Math.random(),
      onChange: (place, { isUp, why }) => {
        this.#options.meters.changes.add(1, { to: isUp ? 'up' : 'down' })
        if (isUp) logger.info('upstream is up', { route, upstream: place.id, why })
        else logger.warn('upstream is down', { route, upstream: place.id, why })
      },
    })
    for (const each of before) set.inherit(each)
    return set
  }
}
