import { cloudClients } from './cloud-clients/install.ts'
import { chromium } from './chromium/chromium.ts'
import { caddy, nginx } from './edge/install.ts'
import { validator } from './focus/validator.ts'
import { openmeterForPython } from './openmeter/install.ts'
import { promtool } from './prometheus/install.ts'
import { keycloak } from './keycloak/install.ts'
import { clusterApi, helm, kube } from './kube/available.ts'
import { schemathesis } from './schemathesis/install.ts'
import { engines } from './support/metered-engine.ts'
import { broker } from './support/spread-fleet.ts'

// Installs what the suites in this folder need: minutes the first time, nothing after that. Each suite does it by itself too, but
// a test file may not take that long. What cannot be had is said, and is no failure: the suite that needs it is skipped by name.

for (const available of [
  await engines(),
  await broker(),
  await validator(),
  await openmeterForPython(),
  await cloudClients(),
  await keycloak(),
  await promtool(),
  await schemathesis(),
  await chromium(),
  await nginx(),
  await caddy(),
  await kube(),
  await clusterApi(),
  await helm(),
])
  if (available.skip !== false) console.error(available.skip)
