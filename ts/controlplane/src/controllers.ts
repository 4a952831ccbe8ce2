import { openMultiIpNodeController } from "./node/multi-ip-node.ts";
import { openPodNetworkingController } from "./pod-networking/pod-networking.ts";
import type { ControllerEntry } from "./runtime/registry.ts";

/** Every controller of this program. */
export const controllers: readonly ControllerEntry[] = [
  { name: "pod-networking", byDefault: true, open: openPodNetworkingController },
  { name: "multi-ip-node", byDefault: false, open: openMultiIpNodeController },
];
