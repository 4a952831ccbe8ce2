import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CniConf, type Datapath, type KernelCapabilities, kernelFeatures, type Lease, parseCniConf } from "@terway/model";
import { afterEach, beforeEach, expect, test } from "vitest";
import { probeOnce } from "./kernel-probe.ts";
import { openLog } from "./log.ts";
import { chooseModes, modesOf, rememberedModes } from "./mode-choice.ts";
import { eniConf, sampleAttachment, sampleLease } from "./testing/samples.ts";

let stateDir: string;
let emitted: [string, string][];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "terway-modes-"));
  emitted = [];
  opened = { ok: true, value: undefined };
});
afterEach(() => rm(stateDir, { recursive: true }));

const states = kernelFeatures.map((name) => [name, { available: name !== "netkit" }]);
// fromEntries forgets the names; each of them is there.
const kernel = { release: "6.1.0", ...Object.fromEntries(states) } as KernelCapabilities;
const { log } = openLog("error", "test");

function cniConf(keys: Record<string, unknown>): CniConf {
  const parsed = parseCniConf({ type: "terway", ...keys });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.config;
}

let opened: Awaited<ReturnType<Parameters<typeof chooseModes>[0]["openPrograms"]>>;
const choose = (
  keys: Record<string, unknown>,
  leases: readonly Lease[] = [],
  labels: Record<string, string> = {},
  service: Record<string, unknown> = { service_cidr: "172.16.0.0/16" },
) =>
  chooseModes({
    stateDir,
    eniConf: eniConf(service),
    openPrograms: () => Promise.resolve(opened),
    cniConf: cniConf(keys),
    labels,
    kernel,
    leases,
    log,
    events: { emit: (reason, _, message) => emitted.push([reason, message]) },
  });
const bound = (overrides: Partial<Lease> = {}) => sampleLease({ payload: sampleAttachment(overrides), ...overrides });

test("a node keeps what it decided while pods live, and takes the new configuration when none is left", async () => {
  expect((await choose({})).modes.shared).toBe("policy_route");
  expect((await choose({ eniip_virtual_type: "IPVlan" }, [bound()])).modes.shared).toBe("policy_route");
  expect(emitted).toEqual([["ConfigError", expect.stringContaining("asks for ipvlan, but pods of this node run policy_route")]]);
  expect((await choose({ eniip_virtual_type: "IPVlan" }, [bound({ state: "releasing" })])).modes.shared).toBe("ipvlan");
  expect(await rememberedModes(stateDir)).toMatchObject({ shared: "ipvlan" });
  expect((await choose({}, [bound()])).modes.shared).toBe("ipvlan");
});

test("a label that changes under living pods is refused, and counts when they are gone", async () => {
  const eniOnly = { "k8s.aliyun.com/exclusive-mode-eni-type": "eniOnly" };
  await choose({});
  expect((await choose({}, [bound()], eniOnly)).modes.node).toBe("shared");
  expect((await choose({}, [], eniOnly)).modes.node).toBe("exclusive");
  expect((await choose({}, [bound({ exclusive: true })])).modes.node).toBe("exclusive");
});

test("a fallback is told as VirtualModeChanged", async () => {
  expect((await choose({ enable_netkit: true })).modes.shared).toBe("policy_route");
  expect(emitted).toEqual([["VirtualModeChanged", expect.stringContaining("kernel 6.1.0 lacks netkit")]]);
});

test("the fast path is used where the kernel takes the programs and Services are known; otherwise the event says why", async () => {
  const keys = { eniip_virtual_type: "datapathv2" };
  expect((await choose(keys)).modes.fastPath).toBe(true);
  expect((await choose({})).modes.fastPath).toBe(false);
  expect(emitted).toEqual([]);
  opened = { ok: false, error: { code: "unsupported", message: "the verifier refuses from_pod" } };
  expect((await choose(keys)).modes).toMatchObject({ shared: "policy_route", fastPath: false });
  expect(await rememberedModes(stateDir)).toMatchObject({ fastPath: false });
  opened = { ok: true, value: undefined };
  expect((await choose(keys, [], {}, {})).modes.fastPath).toBe(false);
  expect(emitted).toEqual([
    ["VirtualModeChanged", "datapathv2 is not available, veth is used instead: the verifier refuses from_pod"],
    ["VirtualModeChanged", expect.stringContaining("`service_cidr` of eni_conf is empty")],
  ]);
});

test("pods of a release that remembered nothing say what runs", () => {
  expect(modesOf([bound()])).toEqual({ node: "shared", shared: "policy_route", trunkMember: "policy_route", fastPath: false });
  expect(modesOf([bound({ exclusive: true })])).toMatchObject({ node: "exclusive", shared: "policy_route" });
});

test("the kernel is probed once for each boot", async () => {
  let probes = 0;
  // Only the probe is called.
  const probe = async () => {
    probes++;
    return kernel;
  };
  const datapath = { probe } as unknown as Datapath;
  expect(await probeOnce(datapath, stateDir, "boot-1")).toEqual(kernel);
  expect(await probeOnce(datapath, stateDir, "boot-1")).toEqual(kernel);
  expect(probes).toBe(1);
  await probeOnce(datapath, stateDir, "boot-2");
  expect(probes).toBe(2);
});
