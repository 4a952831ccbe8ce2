import type { EniConf, Lease } from "@terway/model";
import { parseEniConfValue } from "@terway/model";
import { buildAttachment } from "../attachment.ts";

/** The worked example of Terway's end states: a dual-stack pod on a shared ENI. */
export function sampleLease(overrides: Partial<Lease> = {}): Lease {
  return {
    id: "c0ffee/eth0",
    generation: 7,
    state: "bound",
    sandbox: {
      containerId: "c0ffee",
      ifName: "eth0",
      netns: "/var/run/netns/pod",
      podNamespace: "default",
      podName: "client-b6989bf87-2bgtc",
    },
    eniId: "eni-1",
    eniMac: "00:16:3e:00:00:01",
    ipv4: { address: "10.0.1.23", prefixLength: 24, gateway: "10.0.1.253" },
    ipv6: { address: "2001:db8:1::23", prefixLength: 64, gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd" },
    allocatedAtMs: 1_000,
    ...overrides,
  };
}

export const sampleNetwork = {
  hostIpv4: "10.0.0.10",
  hostIpv6: "2001:db8::10",
  mtu: 1500,
  ruleForm: "compact",
  securityGroupIds: ["sg-1"],
  localDeliveryAcrossSecurityGroups: false,
  serviceCidrs: ["172.16.0.0/16"],
  extraRoutes: [],
} as const;

export const sampleAttachment = (overrides: Partial<Lease> = {}) =>
  buildAttachment(sampleLease(overrides), sampleNetwork, {
    mode: overrides.exclusive ? "exclusive" : "policy_route",
    defaultRoute: true,
  });

export function eniConf(value: Record<string, unknown>): EniConf {
  const parsed = parseEniConfValue(value);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}
