import type { Manifest } from '@ascribe/kinds'
import type { Output } from './output.ts'

/** Objects for `kubectl apply -f -`: a stream of YAML, or with `--json` one List. */
export async function printManifests(
  out: Output,
  { manifests, yaml }: { readonly manifests: readonly Manifest[]; readonly yaml: (manifests: readonly Manifest[]) => string },
): Promise<void> {
  if (out.json) out.value({ apiVersion: 'v1', kind: 'List', items: manifests })
  else await out.write(yaml(manifests))
}
