import { controlPlaneAccess } from "@terway/controlplane";
import type { Access } from "@terway/kube";
import { daemonAccess } from "../ts/daemon/src/cluster/access.ts";
import { code, generatedBy, table } from "./generate-markdown.ts";

function accessTable(accesses: readonly Access[]): string {
  const rows = accesses.map(({ apiGroup, resource, verbs, namespace, names, why }) => [
    apiGroup === "" ? "core" : code(apiGroup),
    code(resource),
    verbs.map(code).join(", "),
    `${namespace === undefined ? "cluster" : code(namespace)}${names === undefined ? "" : `: ${names.map(code).join(", ")}`}`,
    why,
  ]);
  return table(["group", "resource", "verbs", "where", "why"], rows);
}

export function rbacPage(): string {
  return `${generatedBy("ts/daemon/src/cluster/access.ts and ts/controlplane/src/cluster/access.ts")}

# What is asked of the API server

## terwayd

The test of the daemon against a real API server runs with exactly these rights. RBAC cannot limit a node to its own objects; the selectors do as long
as the daemon is what it should be, an admission policy does always.

${accessTable(daemonAccess)}

For each pod that is created: one event and one patch of its annotation, both beside the ADD. A pod that the watch has not told within 250 ms costs one \`get\` more.

## terway-controlplane

${accessTable(controlPlaneAccess)}
`;
}
