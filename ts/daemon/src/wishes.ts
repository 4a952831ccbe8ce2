import type { Attachment, Bandwidth, NodeModes, PodNetworkWishes } from "@terway/model";
import type { PluginConf } from "./plugin-conf.ts";

/** Limits and class of one pod's traffic on this node. What the runtime hands over wins over the old annotations, direction by direction. */
export function shapingOf(
  conf: Pick<PluginConf, "bandwidth">,
  wishes: Pick<PodNetworkWishes, "bandwidth" | "priority">,
  modes: Pick<NodeModes, "bandwidthMode" | "networkPriority">,
  mode: Attachment["mode"],
): Pick<Attachment, "bandwidth" | "bandwidthMode" | "priority"> {
  const ingress = bytes(conf.bandwidth?.ingressBits) ?? wishes.bandwidth?.ingress;
  const egress = bytes(conf.bandwidth?.egressBits) ?? wishes.bandwidth?.egress;
  const bandwidth: Bandwidth = { ...(ingress === undefined ? {} : { ingress }), ...(egress === undefined ? {} : { egress }) };
  const limited = ingress !== undefined || egress !== undefined;
  // The ENI of an exclusive pod stands in the pod: nobody keeps departure times for it, and nobody shares it.
  const own = mode === "exclusive";
  return {
    ...(limited ? { bandwidth, bandwidthMode: own ? ("tc" as const) : modes.bandwidthMode } : {}),
    ...(modes.networkPriority && !own ? { priority: wishes.priority ?? ("burstable" as const) } : {}),
  };
}

/** At least one byte per second: the kernel takes 0 for "no limit". */
const bytes = (bits: number | undefined) => (bits === undefined ? undefined : Math.max(1, Math.round(bits / 8)));
