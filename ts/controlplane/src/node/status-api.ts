import { apply, type KubeClient, type ObjectRef, read } from "@terway/kube";
import { nodeResourceSchema } from "@terway/model";
import { nodeResources } from "../cluster/kinds.ts";
import type { NodeObjectState, StatusPort } from "./status-journal.ts";

const owner = "terway-controlplane";

/** The status of a Node at the API server; each part belongs to a field manager of its own. */
export function statusAt(client: KubeClient, name: string): StatusPort {
  const ref: ObjectRef = { resource: nodeResources.resource, name };
  return {
    read: async () => {
      const object = await read(client, ref);
      return object === undefined ? undefined : stateOf(object);
    },
    apply: async (part, status, resourceVersion) => {
      const body = { metadata: { resourceVersion }, status };
      // What an upstream control plane wrote becomes ours; nobody else writes a status.
      const options = { fieldManager: `${owner}.${part}`, force: true };
      return stateOf(await apply(client, { ...ref, subresource: "status" }, body, options)).resourceVersion;
    },
  };
}

function stateOf(object: unknown): NodeObjectState {
  const { metadata, status } = nodeResourceSchema.parse(object);
  const { uid = "", resourceVersion = "" } = metadata;
  return { uid, resourceVersion, status };
}
