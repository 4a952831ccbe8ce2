import { daemonAccess } from "../ts/daemon/src/cluster/access.ts";
import { code, generatedBy, table } from "./generate-markdown.ts";

export function rbacPage(): string {
  const rows = daemonAccess.map(({ apiGroup, resource, verbs, namespace, why }) => [
    apiGroup === "" ? "core" : code(apiGroup),
    code(resource),
    verbs.map(code).join(", "),
    namespace === undefined ? "cluster" : code(namespace),
    why,
  ]);
  return `${generatedBy("ts/daemon/src/cluster/access.ts")}

# What terwayd asks of the API server

The test of the daemon against a real API server runs with exactly these rights. RBAC cannot limit a node to its own objects; the selectors do as long
as the daemon is what it should be, an admission policy does always.

${table(["group", "resource", "verbs", "where", "why"], rows)}

For each pod that is created: one event and one patch of its annotation, both beside the ADD. A pod that the watch has not told within 250 ms costs one \`get\` more.
`;
}
