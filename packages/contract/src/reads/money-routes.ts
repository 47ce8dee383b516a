import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import {
  BudgetsReplySchema,
  CreditsReplySchema,
  CursorQuerySchema,
  InvoiceDetailSchema,
  InvoiceParamsSchema,
  InvoicesPageSchema,
  InvoicesQuerySchema,
  StatementsPageSchema,
} from './money-schemas.ts'
import type {
  BudgetsReply,
  CreditsReply,
  CursorQuery,
  InvoiceDetail,
  InvoiceParams,
  InvoicesPage,
  InvoicesQuery,
  StatementsPage,
} from './money-types.ts'
import { READ } from './reference-routes.ts'

export const listStatements: RouteDef<OrganizationParams, CursorQuery, undefined, StatementsPage> = {
  ...READ,
  operationId: 'listStatements',
  summary: 'The months with a statement, newest first, and what each comes to.',
  path: '/v1/organizations/{id}/statements',
  params: OrganizationParamsSchema,
  query: CursorQuerySchema,
  reply: StatementsPageSchema,
}

export const listInvoices: RouteDef<OrganizationParams, InvoicesQuery, undefined, InvoicesPage> = {
  ...READ,
  operationId: 'listInvoices',
  summary: 'Invoices, newest first, without their lines.',
  path: '/v1/organizations/{id}/invoices',
  params: OrganizationParamsSchema,
  query: InvoicesQuerySchema,
  reply: InvoicesPageSchema,
}

export const getInvoice: RouteDef<InvoiceParams, NoQuery, undefined, InvoiceDetail> = {
  ...READ,
  operationId: 'getInvoice',
  summary: 'One invoice by id or number, with its lines, credits, taxes and credit notes.',
  path: '/v1/organizations/{id}/invoices/{invoice}',
  params: InvoiceParamsSchema,
  query: NoQuerySchema,
  reply: InvoiceDetailSchema,
}

export const printInvoice: RouteDef<InvoiceParams, NoQuery> = {
  ...READ,
  operationId: 'printInvoice',
  summary: 'One invoice as a page that prints well. Customers only (R19).',
  path: '/v1/organizations/{id}/invoices/{invoice}/html',
  listeners: ['public'],
  params: InvoiceParamsSchema,
  query: NoQuerySchema,
  reply: { stream: ['text/html'] },
}

export const listCredits: RouteDef<OrganizationParams, NoQuery, undefined, CreditsReply> = {
  ...READ,
  operationId: 'listCredits',
  summary: 'Credits in the order in which they are drawn, what happened to them, and when they will be used up.',
  path: '/v1/organizations/{id}/credits',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: CreditsReplySchema,
}

export const listBudgets: RouteDef<OrganizationParams, NoQuery, undefined, BudgetsReply> = {
  ...READ,
  operationId: 'listBudgets',
  summary: 'Budgets that bound the organization, its users, groups and keys, and how they stand.',
  path: '/v1/organizations/{id}/budgets',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: BudgetsReplySchema,
}

export const MONEY_ROUTES: readonly RouteDef[] = [listStatements, listInvoices, getInvoice, printInvoice, listCredits, listBudgets]
