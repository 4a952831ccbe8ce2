import { access, readFile, writeFile } from "node:fs/promises";
import {
  conflistPath,
  inNetNamespace,
  isAlive,
  probe,
  type RunningPod,
  type RuntimeName,
  run,
  signal,
  until,
  waitForEnd,
} from "@terway/lab";
import { cidrContains } from "@terway/model";
import { afterEach, describe, expect, test } from "vitest";
import { useNode } from "./lab-fixture.ts";

const runtimes: readonly RuntimeName[] = ["debian", "containerd-2"];
const staleConf = "/etc/cni/net.d/10-terway.conf";

describe.each(runtimes)("a pod's life under %s", (runtime) => {
  const fixture = useNode(runtime, async (on) => {
    await writeFile(on.node.path(staleConf), JSON.stringify({ cniVersion: "0.4.0", name: "terway", type: "terway" }));
  });

  /** Whatever a test leaves, so that the next one starts from nothing. */
  afterEach(async () => {
    const { on } = fixture();
    if (on.daemon === undefined || !(await isAlive(on.daemon))) await startDaemon();
    for (const { id } of await on.containerd.cri.listSandboxes()) {
      await on.containerd.cri.stopSandbox(id);
      await on.containerd.cri.removeSandbox(id);
    }
  });

  async function startDaemon(): Promise<void> {
    const { on } = fixture();
    await on.startDaemon();
    await on.warm(30_000);
  }

  async function killDaemon(): Promise<void> {
    const { daemon } = fixture().on;
    if (daemon === undefined) throw new Error("no daemon runs");
    await signal(daemon, "SIGKILL");
    expect(await waitForEnd(daemon, 5_000)).toBe(true);
  }

  const leases = async () => (await fixture().on.mapping()).leases.map((lease) => lease.id);

  /** Answers, over both families, of the host elsewhere in the VPC to the pod. */
  async function reaches(pod: RunningPod): Promise<boolean> {
    const { lab, on } = fixture();
    const elsewhere = lab.world.elsewhere?.primary;
    if (elsewhere === undefined) throw new Error("the lab has no host elsewhere");
    const outcomes = await probe(
      lab.agent,
      on.node.path(pod.netns),
      [elsewhere.ipv4, elsewhere.ipv6].map((addr) => ({ id: addr, proto: "tcp" as const, addr, timeoutMs: 2_000 })),
    );
    for (const outcome of outcomes) if (outcome.ok) expect(pod.addresses).toContain(outcome.server?.client);
    return outcomes.every((outcome) => outcome.ok);
  }

  /** Lines of the node's routes, rules and links about these addresses. */
  async function traces(addresses: readonly string[]): Promise<string[]> {
    const listing = "ip -4 route show table all; ip -6 route show table all; ip -4 rule; ip -6 rule; ip -4 neigh; ip -6 neigh";
    const { stdout } = await run(inNetNamespace(fixture().on.machine.netns, ["sh", "-c", listing]));
    return stdout.split("\n").filter((line) => addresses.some((address) => line.split(/[\s/]/).includes(address)));
  }

  test("the conflist speaks to old and new runtimes, and a stale 10-terway.conf is gone", async () => {
    const { on } = fixture();
    const conflist = JSON.parse(await readFile(on.node.path(conflistPath), "utf8"));
    expect(conflist.cniVersion).toBe("0.4.0");
    expect(conflist.cniVersions).toContain("1.1.0");
    await expect(access(on.node.path(staleConf))).rejects.toThrow(/ENOENT/);
  });

  test("a pod comes up with an address of each family from its vSwitch and reaches the VPC as itself", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "plain" });
    expect(pod.addresses).toHaveLength(2);
    expect(cidrContains("10.0.1.0/24", pod.addresses[0] ?? "")).toBe(true);
    expect(cidrContains("fd00:0:0:101::/64", pod.addresses[1] ?? "")).toBe(true);
    expect(await reaches(pod)).toBe(true);
    const lease = (await on.mapping()).leases.find((one) => one.id === `${pod.sandboxId}/eth0`);
    expect(lease).toMatchObject({ pod: "default/plain" });
    expect(new Set(lease?.addresses)).toEqual(new Set(pod.addresses));
  });

  test("deleting it releases the addresses and leaves nothing in the kernel; deleting it again is no error", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "short" });
    expect(await traces(pod.addresses)).not.toEqual([]);
    await on.containerd.cri.stopSandbox(pod.sandboxId);
    await on.containerd.cri.stopSandbox(pod.sandboxId);
    await on.containerd.cri.removeSandbox(pod.sandboxId);
    expect(await leases()).toEqual([]);
    expect(await traces(pod.addresses)).toEqual([]);
  });

  test("a sandbox whose network namespace was destroyed can still be deleted, and its addresses come back", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "netless", container: false });
    const netns = pod.netns.replace(/^\/var/, "");
    // The pause process holds the namespace, too.
    await on.node.run(["sh", "-c", `ip netns pids ${netns.split("/").at(-1)} | xargs -r kill -9; umount ${netns}; rm ${netns}`]);
    await on.containerd.cri.stopSandbox(pod.sandboxId);
    await on.containerd.cri.removeSandbox(pod.sandboxId);
    expect(await leases()).toEqual([]);
    expect(await traces(pod.addresses)).toEqual([]);
  });

  test("a pod of the same name that comes at once gets a network of its own (I1)", async () => {
    const { on } = fixture();
    let pod = await on.runPod({ namespace: "default", name: "db-0" });
    for (let round = 0; round < 5; round += 1) {
      await on.removePod(pod);
      const next = await on.runPod({ namespace: "default", name: "db-0" });
      // A released address rests.
      expect(pod.addresses).not.toContain(next.addresses[0]);
      pod = next;
    }
    expect(await reaches(pod)).toBe(true);
    expect(await leases()).toEqual([`${pod.sandboxId}/eth0`]);
  });

  test("a late DEL of the older sandbox does not harm the newer one of the same name (I7)", async () => {
    const { on } = fixture();
    const older = await on.runPod({ namespace: "default", name: "db-1" });
    const newer = await on.runPod({ namespace: "default", name: "db-1" });
    expect(await reaches(newer)).toBe(true);
    await on.removePod(older);
    expect(await reaches(newer)).toBe(true);
    expect(await traces(older.addresses)).toEqual([]);
    expect(await leases()).toEqual([`${newer.sandboxId}/eth0`]);
  });

  test("pods that start while the daemon is killed and started again come up without an error (I6, I8)", async () => {
    const { on } = fixture();
    await killDaemon();
    const starting = Promise.all([0, 1, 2].map((index) => on.runPod({ namespace: "default", name: `patient-${index}` })));
    await startDaemon();
    const pods = await starting;
    expect(new Set(pods.flatMap((pod) => pod.addresses)).size).toBe(6);
    for (const pod of pods) expect(await reaches(pod)).toBe(true);
    expect((await leases()).sort()).toEqual(pods.map((pod) => `${pod.sandboxId}/eth0`).sort());
  });

  test("a running pod does not notice that the daemon is away (I14)", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "steady" });
    await killDaemon();
    expect(await reaches(pod)).toBe(true);
    await startDaemon();
    expect(await reaches(pod)).toBe(true);
    expect(await leases()).toEqual([`${pod.sandboxId}/eth0`]);
    await until("cloud, journal and kernel agree", 10_000, async () => (await on.mapping()).mismatches.length === 0);
  });

  test("a pod deleted while the daemon is away is released when it is back", async () => {
    const { on } = fixture();
    const pod = await on.runPod({ namespace: "default", name: "orphan" });
    await killDaemon();
    await on.removePod(pod);
    await startDaemon();
    await until("the tombstone is worked off", 10_000, async () => (await leases()).length === 0);
    expect(await traces(pod.addresses)).toEqual([]);
  });

  test("the runtime asks STATUS if its specification has it, and says what the answer was", async () => {
    const { on } = fixture();
    await killDaemon();
    const status = await on.containerd.cri.networkReady();
    // containerd 1.6 knows only that a configuration is there.
    expect(status.ready).toBe(runtime === "debian");
    await startDaemon();
    expect((await on.containerd.cri.networkReady()).ready).toBe(true);
  });
});
