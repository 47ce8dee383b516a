import type { Command } from 'commander'
import type { Finish } from './finish.ts'
import type { Surroundings } from './surroundings.ts'

/** Gives a command its options, its subcommands and what it does. */
export type Configure = (command: Command, surroundings: Surroundings, finish: Finish) => void

/** A command by name, and the module that knows the rest of it: loaded only when it is asked for, so that help is quick. */
export type CommandEntry = { readonly name: string; readonly description: string; readonly load: () => Promise<Configure> }

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    description: 'start everything on this machine: gateway, settler, API, database, and a sandbox engine unless there is a real one',
    load: async () => (await import('./commands/up.ts')).configureUp,
  },
  {
    name: 'gateway',
    description: 'run the metering proxy alone; a settler on the same data directory ships its journal',
    load: async () => (await import('./commands/gateway.ts')).configureGateway,
  },
  {
    name: 'settler',
    description: 'run the settler alone: ships the journals of a data directory, rates, publishes keys to gateways',
    load: async () => (await import('./commands/settler.ts')).configureSettler,
  },
  { name: 'api', description: 'run the usage and billing API alone', load: async () => (await import('./commands/api.ts')).configureApi },
  {
    name: 'edge',
    description: 'answer Traefik ForwardAuth, nginx auth_request and Caddy forward_auth: a key or token in, identity headers out',
    load: async () => (await import('./commands/edge.ts')).configureEdge,
  },
  {
    name: 'controller',
    description: "run the Kubernetes controllers: machines in their owners' cloud accounts",
    load: async () => (await import('./commands/controller.ts')).configureController,
  },
  {
    name: 'minter',
    description: 'run the one process that holds the client secret and mints tokens of single users',
    load: async () => (await import('./commands/minter.ts')).configureMinter,
  },
  {
    name: 'crds',
    description: 'print the definitions of our Kubernetes kinds',
    load: async () => (await import('./commands/crds.ts')).configureCrds,
  },
  {
    name: 'manifests',
    description: 'print everything that installs the controllers: definitions, policies, rights, Deployment',
    load: async () => (await import('./commands/manifests.ts')).configureManifests,
  },
  {
    name: 'bodies',
    description: 'what is kept of requests and replies of those who have agreed to it',
    load: async () => (await import('./commands/bodies.ts')).configureBodies,
  },
  {
    name: 'migrate',
    description: "bring the database to this program's schema; safe to repeat, and from several machines at once",
    load: async () => (await import('./commands/migrate.ts')).configureMigrate,
  },
  { name: 'orgs', description: 'the organizations that are billed', load: async () => (await import('./commands/orgs.ts')).configureOrgs },
  {
    name: 'keys',
    description: 'API keys, and whose usage an auth id is',
    load: async () => (await import('./commands/keys.ts')).configureKeys,
  },
  {
    name: 'users',
    description: 'the users of organizations, by the ids of your platform',
    load: async () => (await import('./commands/users.ts')).configureUsers,
  },
  {
    name: 'groups',
    description: 'the groups of organizations',
    load: async () => (await import('./commands/groups.ts')).configureGroups,
  },
  {
    name: 'resources',
    description: 'what is used: model deployments and the like',
    load: async () => (await import('./commands/resources.ts')).configureResources,
  },
  {
    name: 'routes',
    description: 'where requests for a resource go: deployments that gateways follow',
    load: async () => (await import('./commands/routes.ts')).configureRoutes,
  },
  {
    name: 'directory',
    description: 'all of these from a file or an address, and what was ever said of them',
    load: async () => (await import('./commands/directory.ts')).configureDirectory,
  },
  {
    name: 'prices',
    description: 'price books: check, compare, apply',
    load: async () => (await import('./commands/prices.ts')).configurePrices,
  },
  {
    name: 'usage',
    description: 'what an organization has used and what it costs, in a period [from, to)',
    load: async () => (await import('./commands/usage.ts')).configureUsage,
  },
  {
    name: 'statement',
    description: "an organization's statement for a month: per model and key, with quantities, rates and amounts",
    load: async () => (await import('./commands/statement.ts')).configureStatement,
  },
  {
    name: 'credits',
    description: 'prepaid or given money that invoices draw: blocks, what is left of them, and every change',
    load: async () => (await import('./commands/credits.ts')).configureCredits,
  },
  {
    name: 'invoices',
    description: 'invoices and credit notes: drafted, issued, paid, printed, and followed down to their requests',
    load: async () => (await import('./commands/invoices.ts')).configureInvoices,
  },
  {
    name: 'export',
    description: 'charges and invoices as CSV or FOCUS 1.2, records as JSON lines, at any size',
    load: async () => (await import('./commands/export.ts')).configureExport,
  },
  { name: 'events', description: 'usage records, one a line', load: async () => (await import('./commands/events.ts')).configureEvents },
  {
    name: 'journal',
    description: 'the durable logs that gateways write before they answer',
    load: async () => (await import('./commands/journal.ts')).configureJournal,
  },
  {
    name: 'rate',
    description: 'price what is not priced yet; a settler does so by itself',
    load: async () => (await import('./commands/rate.ts')).configureRate,
  },
  {
    name: 'budgets',
    description: 'hard caps in money or tokens, of organizations, users, groups and keys',
    load: async () => (await import('./commands/budgets.ts')).configureBudgets,
  },
  {
    name: 'limits',
    description: 'requests and tokens a minute, of keys and organizations',
    load: async () => (await import('./commands/limits.ts')).configureLimits,
  },
  {
    name: 'periods',
    description: 'the months: list them, close them',
    load: async () => (await import('./commands/periods.ts')).configurePeriods,
  },
  {
    name: 'retention',
    description: 'move old records into files, and delete what has served its purpose',
    load: async () => (await import('./commands/retention.ts')).configureRetention,
  },
  {
    name: 'audit',
    description: 'who looked at whom and who changed what: exported, checked for edits, gaps and missing ends',
    load: async () => (await import('./commands/audit.ts')).configureAudit,
  },
  {
    name: 'admin-keys',
    description: 'keys of the admin listener, for the automation of a platform',
    load: async () => (await import('./commands/admin-keys.ts')).configureAdminKeys,
  },
  {
    name: 'backup',
    description: 'write the whole ledger into one file, consistent while everything runs',
    load: async () => (await import('./commands/backup.ts')).configureBackup,
  },
  {
    name: 'restore',
    description: 'make a ledger of a backup, in an empty database',
    load: async () => (await import('./commands/restore.ts')).configureRestore,
  },
  {
    name: 'sandbox',
    description: 'what cannot be had at home, each on its own: a cloud with its OAuth server',
    load: async () => (await import('./commands/sandbox.ts')).configureSandbox,
  },
  {
    name: 'whoami',
    description: "act as an owner in the cloud for a moment: whose account that is, how long tokens live, and why not if it doesn't work",
    load: async () => (await import('./commands/whoami.ts')).configureWhoami,
  },
  {
    name: 'token',
    description: 'what a token says of itself, without showing it',
    load: async () => (await import('./commands/token.ts')).configureToken,
  },
  {
    name: 'machines',
    description: 'machines of a management cluster: what is wrong with them, taken over, given up',
    load: async () => (await import('./commands/machines.ts')).configureMachines,
  },
  {
    name: 'owners',
    description: 'the users in whose cloud accounts machines are made',
    load: async () => (await import('./commands/owners.ts')).configureOwners,
  },
  {
    name: 'config',
    description: 'check the configuration; with --print, show what is in force and from where, secrets masked',
    load: async () => (await import('./commands/config.ts')).configureConfig,
  },
  {
    name: 'conformance',
    description: 'ask a live engine for a little, and find out where its usage is not what it did',
    load: async () => (await import('./commands/conformance.ts')).configureConformance,
  },
  {
    name: 'doctor',
    description: 'look for what is wrong: data directory, secrets, database, schema, journals, prices, upstreams',
    load: async () => (await import('./commands/doctor.ts')).configureDoctor,
  },
]
