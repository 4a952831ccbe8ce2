import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { inNetNamespace, run, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressOf, type Daemon, TestNode } from "./support/test-node.ts";

function postJson(socketPath: string, path: string, body: string): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const call = request({ socketPath, path, method: "POST", headers, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) }));
    });
    call.on("error", reject);
    call.end(body);
  });
}

/** What an older installation left: runtimes would read it beside the list. */
const stale = () => join(node.directory, "net.d/10-terway.conf");

let node: TestNode;
let daemon: Daemon;

beforeAll(async () => {
  node = await TestNode.create();
  await writeFile(stale(), "{}");
  daemon = await node.start();
});
afterAll(() => node?.destroy());

describe("the life of a pod", () => {
  test("the node is ready when the pool holds its minimum, and the conflist says what the plugin can", async () => {
    const view = (await node.mapping()).enis.flatMap((eni) => eni.addresses);
    expect(view.filter((one) => one.state === "free").length).toBeGreaterThanOrEqual(2);
    expect(await node.conflistText()).toMatchObject({
      cniVersion: "0.4.0",
      cniVersions: ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
      plugins: [{ type: "terway" }],
    });
    expect(await node.exists(stale())).toBe(false);
  });

  test("ADD, CHECK, DEL: an address of the VPC that carries packets, and nothing left", async () => {
    const pod = await node.pod();
    const added = await node.cni("ADD", pod);
    expect(added.output).toMatchObject({
      cniVersion: "1.1.0",
      interfaces: [{ name: expect.stringMatching(/^cali/) }, { name: "eth0", sandbox: pod.netns }],
      ips: [{ address: expect.stringMatching(/^10\.0\.1\.\d+\/24$/), gateway: "10.0.1.253", interface: 1 }],
    });
    expect(added.exitCode).toBe(0);
    expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
    expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0, output: undefined });
    expect(await node.cni("DEL", pod)).toMatchObject({ exitCode: 0, output: undefined });
    expect((await node.mapping()).leases).toEqual([]);
    expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(false);
  });

  test("two pods of the node talk to each other", async () => {
    const [a, b] = [await node.pod(), await node.pod()];
    const [, address] = [await node.add(a), await node.add(b)];
    expect(await node.pings(a, address)).toBe(true);
    await node.cni("DEL", a);
    await node.cni("DEL", b);
  });

  test("the same ADD twice, also at the same instant: the same result, one address (I8)", async () => {
    const pod = await node.pod();
    const together = await Promise.all([node.cni("ADD", pod), node.cni("ADD", pod), node.cni("ADD", pod)]);
    const again = await node.cni("ADD", pod);
    for (const answer of together) expect(answer.output).toEqual(again.output);
    expect((await node.mapping()).leases).toHaveLength(1);
    await node.cni("DEL", pod);
  });

  test("without Kubernetes' arguments the container id stands for the pod", async () => {
    const pod = await node.pod();
    expect((await node.cni("ADD", pod, { args: "" })).exitCode).toBe(0);
    expect((await node.mapping()).leases[0]?.pod).toBe(`cni/${pod.containerId}`);
    await node.cni("DEL", pod);
  });

  test("a late DEL of an older sandbox of the same pod does not touch the newer one (I7)", async () => {
    const [older, newer] = [await node.pod("web-0"), await node.pod("web-0")];
    await node.add(older);
    const address = await node.add(newer);
    expect((await node.cni("DEL", older)).exitCode).toBe(0);
    expect(await node.pings(newer, node.machine.primary.ipv4)).toBe(true);
    expect((await node.mapping()).leases.map((lease) => lease.addresses)).toEqual([[address]]);
    await node.cni("DEL", newer);
  });

  test("several sandboxes of one pod at the same instant: each has its own address, none is hurt", async () => {
    const sandboxes = await Promise.all(Array.from({ length: 4 }, () => node.pod("web-1")));
    const addresses = await Promise.all(sandboxes.map((pod) => node.add(pod)));
    expect(new Set(addresses).size).toBe(4);
    for (const pod of sandboxes) expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
    await Promise.all(sandboxes.map((pod) => node.cni("DEL", pod)));
    expect((await node.mapping()).leases).toEqual([]);
  });

  test("DEL of what is unknown, gone already, with an empty or dead namespace: success", async () => {
    const stranger = await node.pod();
    expect((await node.cni("DEL", stranger)).exitCode).toBe(0);
    const pod = await node.pod();
    await node.add(pod);
    await node.removeNetns(pod);
    expect((await node.cni("DEL", pod)).exitCode).toBe(0);
    expect((await node.cni("DEL", pod)).exitCode).toBe(0);
    const empty = await node.pod();
    await node.add(empty);
    expect((await node.cni("DEL", empty, { netns: "" })).exitCode).toBe(0);
    expect((await node.mapping()).leases).toEqual([]);
  });

  test("CHECK names the object that somebody removed, and repair brings it back (I17)", async () => {
    const pod = await node.pod();
    const added = await node.cni("ADD", pod);
    const address = addressOf(added);
    const checkWithout = async () => {
      await run(inNetNamespace(pod.netns, ["ip", "route", "flush", "default"]));
      return node.cni("CHECK", pod, { conf: { prevResult: added.output } });
    };
    // More than once: the daemon's own look, every half a minute, may have mended it before CHECK came.
    await expect.poll(checkWithout).toMatchObject({ exitCode: 1, output: { code: 111, msg: expect.stringContaining("default") } });
    await run(inNetNamespace(node.machine.netns, ["ip", "route", "del", `${address}/32`]));
    await until("the host's route is back", 3_000, async () => {
      const { stdout } = await run(inNetNamespace(node.machine.netns, ["ip", "route", "show", address]));
      return stdout.includes("dev cali");
    });
    await node.cni("DEL", pod);
  });

  test("GC releases what the runtime does not list, and nothing else", async () => {
    const [kept, lost] = [await node.pod(), await node.pod()];
    const address = await node.add(kept);
    await node.add(lost);
    const valid = [{ containerID: kept.containerId, ifname: "eth0" }];
    expect(await node.cni("GC", undefined, { conf: { "cni.dev/valid-attachments": valid } })).toMatchObject({ exitCode: 0 });
    expect((await node.mapping()).leases.map((lease) => lease.addresses)).toEqual([[address]]);
    expect(await node.pings(kept, node.machine.primary.ipv4)).toBe(true);
    await node.cni("DEL", kept);
  });

  test("every version of the specification gets its own form", async () => {
    for (const cniVersion of ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
      const pod = await node.pod();
      const { output } = await node.cni("ADD", pod, { conf: { cniVersion } });
      expect(output).toMatchObject({ cniVersion, ips: [cniVersion.startsWith("0.") ? { version: "4" } : {}] });
      await node.cni("DEL", pod);
    }
  });

  test("another client of the socket gets the specification's error object, whatever it sends", async () => {
    const post = (path: string, body: string) => postJson(node.socket, path, body);
    const call = {
      requestId: "r",
      deadlineMs: 1_000,
      env: { CNI_COMMAND: "ADD" },
      config: { cniVersion: "1.0.0", name: "n", type: "terway" },
    };
    expect(await post("/v1/cni/add", "{")).toMatchObject({ status: 422, body: { code: 6 } });
    expect(await post("/v1/cni/add", "{}")).toMatchObject({ status: 422, body: { code: 6, msg: expect.stringContaining("requestId") } });
    expect(await post("/v1/cni/add", JSON.stringify(call))).toMatchObject({
      status: 422,
      body: { code: 4, msg: expect.stringContaining("CNI_CONTAINERID") },
    });
    expect(await post("/v1/cni/add", JSON.stringify({ ...call, requestId: "r2", config: { cniVersion: "9.9.9" } }))).toMatchObject({
      status: 422,
    });
    expect(await post("/v1/cni/add", '{"__proto__": {"polluted": true}}')).toMatchObject({ status: 422, body: { code: 6 } });
    expect(await post("/v1/cni/nonsense", "{}")).toMatchObject({ status: 404 });
    expect((await node.mapping()).leases).toEqual([]);
  });

  test("STATUS is silent while addresses can be given", async () => {
    expect(await node.cni("STATUS")).toMatchObject({ exitCode: 0, output: undefined });
  });

  test("terway-cli: cloud, journal and kernel agree", async () => {
    const pod = await node.pod();
    const address = await node.add(pod);
    const mapping = await node.cli("mapping");
    expect(mapping, mapping.stdout).toMatchObject({ code: 0 });
    expect(mapping.stdout).toMatch(new RegExp(`${address} +used +test/${pod.name} +present +ok`));
    expect((await node.cli("show", "resource_pool")).stdout).toMatch(/used +1\n/);
    expect((await node.cli("show", "factory")).stdout).toContain("eni_count");
    expect((await node.cli("metadata")).stdout).toContain(node.machine.primary.ipv4);
    expect((await node.cli("execute", "network_service", "default", "resdb")).stdout).toContain(address);
    await node.cni("DEL", pod);
  });

  test("metrics have Terway's names", async () => {
    const { text } = await node.get("/metrics");
    for (const name of [
      "aliyun_openapi_latency_bucket",
      "aliyun_metadata_latency_bucket",
      "terway_rpc_latency_bucket",
      "terway_resource_pool_idle_count",
    ]) {
      expect(text).toContain(name);
    }
    expect(text).toMatch(/terway_rpc_latency_count\{rpc_api="ADD",error="false"\} \d+/);
  });

  test("the access key's secret is nowhere in the log", () => {
    expect(daemon.log).not.toContain(node.lab.world.accessKeySecret);
  });
});
