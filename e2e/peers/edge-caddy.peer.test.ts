import { caddy } from './edge/install.ts'
import { startCaddy } from './edge/start.ts'
import { edgeSuite } from './edge/suite.ts'

edgeSuite({
  name: 'Caddy',
  start: startCaddy,
  available: await caddy(),
  unprotect: (site) => site.replaceAll(/^\t\trequest_header -X.Saturn.*$/gm, ''),
  behindAnother: (site) => site.replace('\t\t\turi /\n', '\t\t\turi /\n\t\t\ttrusted_proxies 127.0.0.1/32\n'),
})
