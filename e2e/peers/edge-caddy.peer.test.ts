import { caddy } from './edge/install.ts'
import { startCaddy } from './edge/start.ts'
import { edgeSuite } from './edge/suite.ts'

edgeSuite({
  name: 'Caddy',
  start: startCaddy,
  available: await caddy(),
  unprotect: (site) => site.replaceAll(/^\t\trequest_header -X.Saturn.*$/gm, ''),
})
