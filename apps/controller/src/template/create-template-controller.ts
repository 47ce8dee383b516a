import { FIELD_MANAGERS, MACHINE_TEMPLATES } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import { createController } from '@ascribe/kube'
import type { Clocks, Controller, Informers, KubeClient } from '@ascribe/kube'
import { capacityOf } from './capacity.ts'

export type TemplateDeps = {
  readonly kube: KubeClient
  readonly informers: Informers
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters
  /** Only this namespace. Default: all. */
  readonly namespace?: string
}

/** Keeps `status.capacity` and `status.nodeInfo` of CloudSigmaMachineTemplates. */
export function createTemplateController({ kube, informers, clocks, logger, meters, namespace }: TemplateDeps): Controller {
  const templates = informers.informer(MACHINE_TEMPLATES, namespace === undefined ? {} : { namespace })
  const controller = createController({
    name: 'cloudsigmamachinetemplate',
    async reconcile(key) {
      const template = templates.get(key)
      if (template === undefined || template.metadata.deletionTimestamp !== undefined) return {}
      const wanted = capacityOf(template)
      const { capacity, nodeInfo } = template.status ?? {}
      if (isSame(capacity, wanted.capacity) && isSame(nodeInfo, wanted.nodeInfo)) return {}
      const { name, namespace: at = '' } = template.metadata
      await kube.applyStatus(
        MACHINE_TEMPLATES,
        { metadata: { name, namespace: at }, status: wanted },
        { fieldManager: FIELD_MANAGERS.controller, force: true },
      )
      return {}
    },
    groupOf: ({ namespace: group = '' }) => group,
    clocks,
    logger,
    meters,
  })
  controller.watch(templates)
  return controller
}

function isSame(a: Readonly<Record<string, unknown>> = {}, b: Readonly<Record<string, unknown>> = {}): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].every((key) => String(a[key]) === String(b[key]))
}
