import type { InstanceLimits, PoolConfig } from "@terway/model";

/** One extended resource of the node. */
export interface DeviceResource {
  readonly name: "aliyun/eni" | "aliyun/member-eni";
  readonly count: number;
}

/**
 * What the kubelet is told to count: whole ENIs where pods have them; members of a trunk where there may be one. ENIs with eRDMA are not used yet, so
 * `aliyun/erdma` is not offered. Pure.
 */
export function deviceResources(
  config: Pick<PoolConfig, "exclusive" | "maxEnis">,
  limits: Pick<InstanceLimits, "adapters" | "totalAdapters" | "trunkSupported">,
  trunk: boolean,
): readonly DeviceResource[] {
  const members = Math.max(0, limits.totalAdapters - limits.adapters);
  return [
    ...(config.exclusive ? [{ name: "aliyun/eni", count: config.maxEnis } as const] : []),
    ...(trunk && limits.trunkSupported ? [{ name: "aliyun/member-eni", count: members } as const] : []),
  ];
}
