import { openEniController } from "./eni/eni-controller.ts";
import { openMultiIpNodeController } from "./node/multi-ip-node.ts";
import { openPodController } from "./pod/pod-controller.ts";
import { openPodEniController } from "./pod-eni/pod-eni-controller.ts";
import { openPodNetworkingController } from "./pod-networking/pod-networking.ts";
import type { ControllerEntry } from "./runtime/registry.ts";
import { openNodeController } from "./warm/node-controller.ts";

/** Every controller of this program. */
export const controllers: readonly ControllerEntry[] = [
  { name: "pod", byDefault: true, open: openPodController },
  { name: "pod-eni", byDefault: true, open: openPodEniController },
  { name: "pod-networking", byDefault: true, open: openPodNetworkingController },
  { name: "eni", byDefault: true, open: openEniController },
  { name: "node", byDefault: true, open: openNodeController },
  { name: "multi-ip-node", byDefault: false, open: openMultiIpNodeController },
];
