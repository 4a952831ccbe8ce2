import { inNetNamespace, run } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forwarded } from "./support/daemon-get.ts";
import { type Pod, TestNode } from "./support/test-node.ts";

describe("a node with datapathv2", () => {
  let node: TestNode;
  let pods: Pod[];
  beforeAll(async () => {
    const conf = { ip_stack: "dual", max_pool_size: 5, eniip_virtual_type: "datapathv2", service_cidr: "172.16.0.0/16,fd00:96::/112" };
    node = await TestNode.create(conf, { bpffs: true });
    await node.start();
    pods = [await node.pod("one"), await node.pod("two")];
    for (const pod of pods) await node.add(pod);
  }, 120_000);
  afterAll(() => node?.destroy());

  const addressOf = async ({ netns }: Pod, family: "-4" | "-6") => {
    const { stdout } = await run(inNetNamespace(netns, ["ip", "-j", family, "address", "show", "dev", "eth0", "scope", "global"]));
    const [link] = JSON.parse(stdout) as { addr_info: { local: string }[] }[];
    return link?.addr_info[0]?.local ?? "";
  };
  const ping = async (from: Pod, address: string) => {
    await run(inNetNamespace(from.netns, ["ping", "-c", "3", "-i", "0.2", "-W", "2", address]), { timeoutMs: 20_000 });
  };

  test("says so, and pods meet past the stack; a restarted daemon changes nothing", async () => {
    expect((await node.cli("show", "network_service")).stdout).toMatch(/fast_path\s+true/);
    expect((await node.cli("events")).stdout).not.toContain("VirtualModeChanged");
    const [one, two] = pods as [Pod, Pod];
    for (const family of ["-4", "-6"] as const) await ping(one, await addressOf(two, family));
    expect((await forwarded(node.socket)).forwarded_pod).toBeGreaterThanOrEqual(12);
    await node.restart("SIGKILL");
    const before = (await forwarded(node.socket)).forwarded_pod ?? 0;
    await ping(two, await addressOf(one, "-4"));
    expect((await forwarded(node.socket)).forwarded_pod).toBeGreaterThanOrEqual(before + 6);
  });

  test("without the Services' addresses it stays off, and an event says why", async () => {
    const other = await TestNode.create({ eniip_virtual_type: "datapathv2" }, { bpffs: true });
    try {
      await other.start();
      expect((await other.cli("show", "network_service")).stdout).toMatch(/fast_path\s+false/);
      expect((await other.cli("events")).stdout).toMatch(/VirtualModeChanged.*`service_cidr` of eni_conf is empty/);
    } finally {
      await other.destroy();
    }
  });
});
