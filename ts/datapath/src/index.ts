import type { Datapath } from "@terway/model";
import { adapt } from "./adapt.ts";
import { loadAddon } from "./load.ts";

/**
 * Opens the datapath of the network namespace the process is in. The addon is loaded by the first call, so that importing this package costs nothing
 * and needs no build. Throws when the addon is not built, or when netlink cannot be had (no `CAP_NET_ADMIN`).
 */
export function openDatapath(): Datapath {
  return adapt(loadAddon().NativeDatapath.open());
}
