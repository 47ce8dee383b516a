import type { ServerResponse } from 'node:http'
import type { AppCors } from './app.ts'
import { fits } from './hosts.ts'

/**
 * Answers a preflight as Teleport does for an app with `cors`. Only preflights: the app's real replies carry what the app says.
 * With credentials a `*` in headers is literal, which is the browser's rule and not ours to help with.
 */
export function answerPreflight(response: ServerResponse, cors: AppCors, origin: string | undefined): void {
  if (origin === undefined || !cors.allowedOrigins.some((allowed) => allowed === '*' || fits(allowed, origin))) {
    response.writeHead(403).end()
    return
  }
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Vary', 'Origin')
  if (cors.allowedMethods.length > 0) response.setHeader('Access-Control-Allow-Methods', cors.allowedMethods.join(', '))
  if (cors.allowedHeaders.length > 0) response.setHeader('Access-Control-Allow-Headers', cors.allowedHeaders.join(', '))
  if (cors.exposedHeaders.length > 0) response.setHeader('Access-Control-Expose-Headers', cors.exposedHeaders.join(', '))
  if (cors.allowCredentials) response.setHeader('Access-Control-Allow-Credentials', 'true')
  if (cors.maxAgeS > 0) response.setHeader('Access-Control-Max-Age', String(cors.maxAgeS))
  response.writeHead(204).end()
}
