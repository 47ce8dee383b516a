/** Built by whoever installs it; with a host, because clusterctl takes no other name. */
export const DEFAULT_IMAGE = 'localhost/ascribe:0.1.0'

/** Of every pod: nobody's user, and the system calls that containers usually need. */
export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 65_532,
  runAsGroup: 65_532,
  fsGroup: 65_532,
  seccompProfile: { type: 'RuntimeDefault' },
} as const

/** Of every container; a core dump finds no file to write to. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const
