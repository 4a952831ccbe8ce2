import { describe, expect, test } from "vitest";
import { parseCniConf } from "./cni-conf.ts";
import { formatIssue } from "./config-issue.ts";

const base = { cniVersion: "0.4.0", name: "terway", type: "terway" };
const lines = (issues: readonly Parameters<typeof formatIssue>[0][]) => issues.map(formatIssue);

describe("accepted", () => {
  test("what Terway generates, as the runtime hands it over", () => {
    const result = parseCniConf({
      ...base,
      cniVersion: "1.1.0",
      capabilities: { bandwidth: true },
      runtimeConfig: { portMappings: [], "io.kubernetes.cri.pod-annotations": {} },
      eniip_virtual_type: "PolicyRoute",
      host_stack_cidrs: ["169.254.20.10/32"],
      mtu: 1500,
      ipam: {},
      dns: {},
    });
    expect(result).toEqual({
      ok: true,
      warnings: [],
      config: {
        cniVersion: "1.1.0",
        name: "terway",
        mtu: 1500,
        autoMtu: false,
        modeKeys: { virtualType: "veth" },
        hostStackCidrs: ["169.254.20.10/32"],
        disableHostPeer: false,
        vlanStripType: "filter",
        enableNetworkPriority: false,
      },
    });
  });

  test("what is not implemented yet is named", () => {
    const result = parseCniConf({
      ...base,
      eniip_virtual_type: "IPVlan",
      trunk_on: true,
      cilium_enable_hubble: "true",
      runtimeConfig: { bandwidth: { ingressRate: 8_000_000 } },
      network_policy_provider: "ebpf",
    });
    expect(result.ok).toBe(true);
    expect(result.warnings.map((issue) => [issue.code, issue.path])).toEqual([["not_implemented", "cilium_enable_hubble"]]);
  });

  test("what shapes a pod's traffic and connects it", () => {
    const runtimeConfig = { bandwidth: { ingressRate: 8_000_000, ingressBurst: 1, egressRate: 0, egressBurst: 0 } };
    const keys = { disable_host_peer: true, vlan_strip_type: "VLAN", bandwidth_mode: "edt", enable_network_priority: true, trunk_on: true };
    expect(parseCniConf({ ...base, ...keys, runtimeConfig })).toMatchObject({
      warnings: [],
      config: {
        bandwidth: { ingressBits: 8_000_000 },
        disableHostPeer: true,
        vlanStripType: "vlan",
        bandwidthMode: "edt",
        enableNetworkPriority: true,
        modeKeys: { trunking: true },
      },
    });
  });

  test("symmetric routing, with zeros for what is not chosen", () => {
    const chosen = { interface: "eth0", mark: 0, table_id: 200, backend: "NFTables" };
    expect(parseCniConf({ ...base, symmetric_routing: true, symmetric_routing_config: chosen })).toMatchObject({
      warnings: [],
      config: { symmetricRouting: { interface: "eth0", tableId: 200, backend: "nftables" } },
    });
    const off = parseCniConf({ ...base, symmetric_routing_config: chosen });
    expect(off.ok && "symmetricRouting" in off.config).toBe(false);
  });

  test("an unknown key warns, and keys for other capabilities do not", () => {
    const result = parseCniConf({ ...base, mut: 1400, runtimeConfig: { ips: ["10.0.0.1"] }, prevResult: { cniVersion: "1.0.0", ips: [] } });
    expect(lines(result.warnings)).toEqual(["mut: is not a known key and is ignored. Did you mean `mtu`?"]);
  });

  test.each(["cni.dev/valid-attachments", "cni.dev/attachments"])("GC reads %s", (name) => {
    const result = parseCniConf({ ...base, [name]: [{ containerID: "c1", ifname: "eth0" }] });
    expect(result).toMatchObject({ ok: true, warnings: [], config: { validAttachments: [{ containerId: "c1", ifName: "eth0" }] } });
  });

  test("a runtime that does not list attachments has not said that there are none", () => {
    const result = parseCniConf(base);
    expect(result.ok && "validAttachments" in result.config).toBe(false);
    expect(parseCniConf({ ...base, "cni.dev/valid-attachments": null })).toMatchObject({ config: { validAttachments: [] } });
    expect(parseCniConf({ ...base, "cni.dev/valid-attachments": [] })).toMatchObject({ config: { validAttachments: [] } });
  });
});

test("refused, all at once, with paths", () => {
  const result = parseCniConf({
    ...base,
    mtu: "1500",
    host_stack_cidrs: ["169.254.20.10"],
    eniip_virtual_type: "macvlan",
    "cni.dev/valid-attachments": [{ containerID: "c1" }],
    runtimeConfig: { bandwidth: { ingressRate: -1 } },
  });
  expect(result.ok).toBe(false);
  expect(!result.ok && lines(result.errors).sort()).toEqual([
    '["cni.dev/valid-attachments"][0].ifname: must be a string, but is missing.',
    'eniip_virtual_type: must be one of "veth", "policyroute", "ipvlan", "datapathv2", but is "macvlan".',
    'host_stack_cidrs[0]: must be a CIDR, but is "169.254.20.10".',
    "mtu: must be a number, but is a string.",
    "runtimeConfig.bandwidth.ingressRate: must be at least 0, but is -1.",
  ]);
});
