import { describe, expect, test } from "vitest";
import { type KernelCapabilities, type KernelFeature, kernelFeatures } from "./kernel-capabilities.ts";
import type { ModeKeys } from "./mode-keys.ts";
import { decideNodeMode, exclusiveModeLabel, type NodeModeInput, type RunningModes, refuseKernel } from "./node-mode.ts";
import { nodeModeTable, rowOf } from "./node-mode-table.ts";

/** A kernel that can do everything but these. */
function kernelWithout(...missing: readonly KernelFeature[]): KernelCapabilities {
  const states = kernelFeatures.map((name) => [
    name,
    missing.includes(name) ? { available: false, reason: "refused" } : { available: true },
  ]);
  // fromEntries forgets the names; each of them is there.
  return { release: "6.1.0-test", ...Object.fromEntries(states) } as KernelCapabilities;
}

const nothing = { eniConf: {}, cniConf: {}, vlanStripType: "filter", kernel: kernelWithout() } as const satisfies NodeModeInput;

function decide(input: Partial<NodeModeInput>) {
  const decision = decideNodeMode({ ...nothing, ...input });
  if (!decision.ok) throw new Error(decision.reason);
  return decision;
}

/** Every way to choose one value of each field. */
function product<T extends Readonly<Record<string, readonly unknown[]>>>(fields: T): { readonly [K in keyof T]: T[K][number] }[] {
  let rows: Record<string, unknown>[] = [{}];
  for (const [name, values] of Object.entries(fields)) rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  // The fields are those of T.
  return rows as { readonly [K in keyof T]: T[K][number] }[];
}

const keysOf = (one: { type: string; ebpf: string; v2: string; provider: string; netkit: string; trunk: string }): ModeKeys => ({
  ...(one.type === "absent" ? {} : { virtualType: ({ IPVlan: "ipvlan", datapathv2: "datapathv2" } as const)[one.type] ?? "veth" }),
  ...(one.ebpf === "absent" ? {} : { ebpf: one.ebpf === "true" }),
  ...(one.v2 === "absent" ? {} : { datapathV2: one.v2 === "true" }),
  ...(one.provider === "absent" ? {} : { networkPolicyProvider: one.provider === "ebpf" ? "ebpf" : "iptables" }),
  ...(one.netkit === "absent" ? {} : { netkit: one.netkit === "true" }),
  ...(one.trunk === "yes" ? { trunking: true } : {}),
});

const has = (kernel: KernelCapabilities, ...features: readonly KernelFeature[]) =>
  features.every((feature) => kernel[feature].available) ? "yes" : "no";

test("every combination of keys, label and kernel is as the tables say", () => {
  const switches = ["absent", "true", "false"];
  const combinations = product({
    type: ["absent", "veth", "PolicyRoute", "IPVlan", "datapathv2"],
    ebpf: switches,
    v2: switches,
    provider: ["absent", "iptables", "ebpf"],
    netkit: ["absent", "true"],
    trunk: ["yes", "no"],
    label: [undefined, "ENIOnly"],
    strip: ["filter", "vlan"] as const,
    bandwidth: [undefined, "tc", "edt"] as const,
    kernel: product({
      ipvlan: ["ipvlan", undefined],
      ebpf: ["clsBpf", undefined],
      netkit: ["netkit", undefined],
      vlan: ["vlan", undefined],
      fq: ["fq", undefined],
    } as const).map((missing) => kernelWithout(...Object.values(missing).filter((feature) => feature !== undefined))),
  });
  for (const one of combinations) {
    const { kernel, strip, label, bandwidth } = one;
    const decision = decide({
      cniConf: keysOf(one),
      vlanStripType: strip,
      kernel,
      ...(label === undefined ? {} : { label }),
      ...(bandwidth === undefined ? {} : { bandwidthMode: bandwidth }),
    });
    const facts = {
      eniip_virtual_type: one.type,
      enable_ebpf: one.ebpf,
      enable_datapath_v2: one.v2,
      network_policy_provider: one.provider,
      enable_netkit: one.netkit,
      label: label === undefined ? "absent" : "eniOnly",
      "living pods have": "none",
      vlan_strip_type: strip,
      bandwidth_mode: bandwidth ?? "absent",
      "kernel IPvlan": has(kernel, "ipvlan"),
      "kernel eBPF": has(kernel, "clsact", "bpf", "clsBpf"),
      "kernel netkit": has(kernel, "netkit"),
      "kernel BPF classifiers": has(kernel, "clsact", "clsBpf"),
      "kernel 802.1Q": has(kernel, "vlan"),
      "kernel edt": has(kernel, "clsact", "clsBpf", "fq"),
    };
    const asked = rowOf(nodeModeTable.asked, facts);
    const shared = rowOf(nodeModeTable.shared, { ...facts, ...asked });
    const { node } = rowOf(nodeModeTable.kind, facts);
    const trunk = one.trunk === "yes" && node === "shared" ? "yes" : "no";
    const member = rowOf(nodeModeTable.trunk, { ...facts, trunk });
    const shaper = rowOf(nodeModeTable.bandwidth, { ...facts, ...shared });
    const fallbacks = [shared.VirtualModeChanged, member["VirtualModeChanged for the trunk"], shaper["VirtualModeChanged for bandwidth"]];
    const expected = {
      node,
      shared: shared["pods of shared ENIs"],
      trunkMember: member["trunk members"] === "vlan" ? "vlan" : shared["pods of shared ENIs"],
      exclusive: "exclusive",
      fastPath: shared["fast path"] === "yes",
      trunk: trunk === "yes",
      bandwidthMode: shaper["bandwidth mode"],
      networkPriority: false,
      fallbacks: fallbacks.filter((text) => text !== "").join(", "),
      trunkErrors: member["ConfigError of the trunk"],
    };
    const found = {
      ...decision.modes,
      fallbacks: decision.fallbacks.map(({ wanted, used }) => `${wanted.split(" ").at(-1)} → ${used}`).join(", "),
      trunkErrors: decision.errors.flatMap((issue) => (issue.path === "enable_eni_trunking" ? [issue.code] : [])).join(", "),
    };
    // An expectation for each of them would take ten times as long.
    if (JSON.stringify(found) !== JSON.stringify(expected)) expect({ facts, ...found }).toEqual({ facts, ...expected });
  }
  expect(combinations.length).toBeGreaterThan(100_000);
});

describe("a node with living pods", () => {
  const veth: RunningModes = { node: "shared", shared: "policy_route", trunkMember: "policy_route", fastPath: false };

  test.each(product({ label: ["absent", "default", "eniOnly", "other"], pods: ["shared", "exclusive"] } as const))(
    "label $label, pods have $pods",
    ({ label, pods }) => {
      const decision = decide({ live: { ...veth, node: pods }, ...(label === "absent" ? {} : { label }) });
      const gives = rowOf(nodeModeTable.kind, { label, "living pods have": pods });
      expect(decision.modes.node).toBe(gives.node);
      const errors = decision.errors.filter((issue) => issue.path === exclusiveModeLabel).map((issue) => issue.code);
      expect(errors.join(", ")).toBe(gives["ConfigError of the label"]);
    },
  );

  test("keeps its mode whatever is asked for, and says what waits", () => {
    for (const virtualType of ["ipvlan", "datapathv2"] as const) {
      const { modes, fallbacks, errors } = decide({ cniConf: { virtualType }, live: veth });
      expect(modes).toMatchObject(veth);
      expect(fallbacks).toEqual([]);
      expect(errors).toMatchObject([{ path: "eniip_virtual_type", code: "pending" }]);
    }
    const ipvlan: RunningModes = { ...veth, shared: "ipvlan", trunkMember: "ipvlan" };
    expect(decide({ live: ipvlan }).modes).toMatchObject(ipvlan);
    const { modes, errors } = decide({ vlanStripType: "vlan", live: veth });
    expect(modes.trunkMember).toBe("policy_route");
    expect(errors).toMatchObject([{ path: "vlan_strip_type", code: "pending" }]);
  });

  test("says nothing when it runs what is asked for", () => {
    expect(decide({ cniConf: { virtualType: "veth" }, live: veth }).errors).toEqual([]);
  });

  test("a kernel that lacks what is asked for changes nothing and is no news", () => {
    const { fallbacks, errors } = decide({ cniConf: { virtualType: "ipvlan" }, kernel: kernelWithout("ipvlan"), live: veth });
    expect(fallbacks).toEqual([]);
    expect(errors).toEqual([]);
  });
});

describe("two files", () => {
  test("10-terway.conf wins key by key, and each disagreement is told", () => {
    const { modes, errors } = decide({
      eniConf: { virtualType: "ipvlan", trunking: true, netkit: false },
      cniConf: { virtualType: "veth", trunking: false },
    });
    expect(modes).toMatchObject({ shared: "policy_route", trunk: false });
    expect(errors.map(({ code, path, message }) => [code, path, message])).toEqual([
      ["overridden", "eniip_virtual_type", expect.stringContaining('"ipvlan" in eni_conf and "veth" in 10-terway.conf')],
      ["overridden", "enable_eni_trunking", expect.stringContaining("10-terway.conf counts")],
    ]);
  });

  test("what stands in one file only counts, and equal keys are no conflict", () => {
    const { modes, errors } = decide({ eniConf: { virtualType: "ipvlan", netkit: true }, cniConf: { netkit: true } });
    expect(modes.shared).toBe("ipvlan");
    expect(errors).toEqual([]);
  });

  test("datapathv2 beside a false switch is told and does not change it", () => {
    const { modes, errors } = decide({ cniConf: { virtualType: "datapathv2", ebpf: false } });
    expect(modes.fastPath).toBe(true);
    expect(errors).toMatchObject([{ path: "enable_ebpf", code: "overridden" }]);
  });
});

test.each(product({ enable_network_priority: ["true", "false", "absent"], "kernel prio": ["yes", "no"] } as const))(
  "classes: %j",
  (facts) => {
    const asked = facts.enable_network_priority;
    const { modes, fallbacks } = decide({
      ...(asked === "absent" ? {} : { networkPriority: asked === "true" }),
      kernel: facts["kernel prio"] === "yes" ? kernelWithout() : kernelWithout("prio"),
    });
    const gives = rowOf(nodeModeTable.priority, facts);
    expect(modes.networkPriority).toBe(gives["network priority"] === "yes");
    expect(fallbacks.map(({ wanted, used }) => `${wanted} → ${used}`).join(", ")).toBe(gives["VirtualModeChanged for priority"]);
  },
);

test("a fallback carries the kernel's reason", () => {
  const { fallbacks } = decide({ cniConf: { virtualType: "ipvlan" }, kernel: kernelWithout("ipvlan") });
  expect(fallbacks).toEqual([{ wanted: "ipvlan", used: "veth", reason: "kernel 6.1.0-test lacks ipvlan (refused)" }]);
});

test.each([
  ["3.10.0-1160.el7.x86_64", true],
  ["4.19.91-27.al7.x86_64", true],
  ["5.9.16", true],
  ["unknown", true],
  ["5.10.134-16.al8.x86_64", false],
  ["6.1.0-18-cloud-amd64", false],
  ["10.0", false],
])("kernel %s is refused: %s", (release, refused) => {
  expect(refuseKernel(release) !== undefined).toBe(refused);
  expect(decideNodeMode({ ...nothing, kernel: { ...nothing.kernel, release } }).ok).toBe(!refused);
});
