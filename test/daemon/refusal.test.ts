import { rm, writeFile } from "node:fs/promises";
import { until } from "@terway/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Daemon, TestNode } from "./support/test-node.ts";

/** Each row of "what bad input gets": one clear message with the real code, in the CNI error and in the log; no hot loop; recovery by itself. */
let node: TestNode;
let daemon: Daemon | undefined;

beforeAll(async () => {
  node = await TestNode.create();
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await node.lab.cloud.command("clearFaults", {});
  await node.writeConf();
});
afterAll(() => node?.destroy());

const calls = async () => Object.values(await node.lab.cloud.counters()).reduce((sum, one) => sum + one.calls, 0);

describe("configuration", () => {
  test.each([
    ["no JSON", "{", ["eni_conf is no JSON"]],
    [
      "wrong types and values, all at once",
      JSON.stringify({ min_pool_size: "two", vswitches: [], ip_stack: "ipv5" }),
      ["min_pool_size", "vswitches", "ip_stack"],
    ],
  ])("%s: exit status 2 and every problem with its path", async (_, text, problems) => {
    await writeFile(`${node.directory}/eni/eni_conf`, text);
    const failed = await node.start({ unawaited: true });
    expect(await failed.ended).toMatchObject({ code: 2 });
    for (const problem of problems) expect(failed.log).toContain(problem);
  });

  test("a 10-terway.conf that cannot be used: exit status 2, naming the key", async () => {
    const path = `${node.directory}/eni/10-terway.conf`;
    await writeFile(path, JSON.stringify({ type: "terway", mtu: "big" }));
    const failed = await node.start({ unawaited: true });
    expect(await failed.ended).toMatchObject({ code: 2 });
    expect(failed.log).toContain("mtu");
    await rm(path);
  });

  test("an unknown key warns and does not stop the start", async () => {
    await node.writeConf({ min_pol_size: 3 });
    daemon = await node.start();
    expect(daemon.log).toContain("min_pool_size");
  });

  test("unknown flags: exit status 2", async () => {
    const failed = await node.start({ unawaited: true, args: ["--nope"] });
    expect(await failed.ended).toMatchObject({ code: 2 });
  });

  test("a change is followed without a restart, a broken one is refused and the old one stays", async () => {
    daemon = await node.start();
    await node.writeConf({ min_pool_size: 4, max_pool_size: 6 });
    await until("the pool has grown", 15_000, async () => {
      const free = (await node.mapping()).enis.flatMap((eni) => eni.addresses).filter((one) => one.state === "free");
      return free.length >= 4;
    });
    await writeFile(`${node.directory}/eni/eni_conf`, "{");
    await until("the broken file is reported", 15_000, async () => (daemon?.log ?? "").includes("no JSON"));
    const pod = await node.pod();
    await node.add(pod);
    await node.cni("DEL", pod);
  });
});

interface Refusal {
  readonly name: string;
  /** One of each kind is short: of the configuration, of what is used up, of what may pass by itself. */
  readonly tags?: string[];
  readonly code: number | RegExp;
  readonly real: string;
  readonly cause: () => Promise<unknown>;
  readonly cure: () => Promise<unknown>;
}

const fault = (action: string, code: string, status: number) => () =>
  node.lab.cloud.command("setFault", { id: "refusal", match: { action }, effect: { type: "error", code, status } });
const clear = () => node.lab.cloud.command("clearFaults", {});

const refusals: Refusal[] = [
  {
    name: "unknown access key",
    code: 100,
    real: "InvalidAccessKeyId",
    cause: () => node.writeConf({ access_key: "LTAInobody" }),
    cure: () => node.writeConf(),
  },
  {
    name: "wrong secret",
    tags: ["long"],
    code: 100,
    real: "SignatureDoesNotMatch",
    cause: () => node.writeConf({ access_secret: "wrong" }),
    cure: () => node.writeConf(),
  },
  {
    name: "RAM denial, in another spelling",
    tags: ["long"],
    code: 100,
    real: "forbidden.ram",
    cause: fault("*", "forbidden.ram", 403),
    cure: clear,
  },
  {
    name: "unknown security group",
    tags: ["long"],
    code: 101,
    real: "InvalidSecurityGroupId.NotFound",
    cause: () => node.writeConf({ security_group: "sg-nowhere" }),
    cure: () => node.writeConf(),
  },
  {
    name: "unknown vSwitch",
    code: 101,
    real: "InvalidVSwitchId.NotFound",
    cause: () => node.writeConf({ vswitches: { [node.machine.zoneId]: ["vsw-nowhere"] } }),
    cure: () => node.writeConf(),
  },
  {
    name: "vSwitch without addresses",
    code: 102,
    real: "InvalidVSwitchId.IpNotEnough",
    cause: fault("CreateNetworkInterface", "InvalidVSwitchId.IpNotEnough", 400),
    cure: clear,
  },
  {
    name: "ENI quota of the account",
    tags: ["long"],
    code: 103,
    real: "MaxEniCountExceeded",
    cause: fault("CreateNetworkInterface", "MaxEniCountExceeded", 403),
    cure: clear,
  },
  { name: "throttling", code: 11, real: "Throttling.User", cause: fault("*", "Throttling.User", 400), cure: clear },
  {
    name: "lost answers",
    tags: ["long"],
    code: 11,
    real: "ConnectionReset",
    cause: () => node.lab.cloud.command("setFault", { id: "refusal", match: {}, effect: { type: "reset", when: "before" } }),
    cure: clear,
  },
  { name: "5xx", tags: ["long"], code: 11, real: "ServiceUnavailable", cause: fault("*", "ServiceUnavailable", 503), cure: clear },
];

describe("the cloud's refusals, on a node that holds no address yet", () => {
  for (const { name, tags = [], code, real, cause, cure } of refusals) {
    test(name, { tags, timeout: 120_000 }, async () => {
      await releaseEverything();
      await cause();
      daemon = await node.start({ unawaited: true });
      await until("the daemon answers", 60_000, async () => (await node.get("/healthz")).status === 200);
      const pod = await node.pod();
      await until("STATUS says why", 20_000, async () => {
        const { output } = await node.cni("STATUS");
        return output?.code === 50;
      });
      // The first refusals may still speak of the daemon's own start; the cloud's reason comes as soon as it was heard.
      let refused = await node.cni("ADD", pod);
      await until("ADD says the real reason", 60_000, async () => {
        if (JSON.stringify(refused.output).toLowerCase().includes(real.toLowerCase())) return true;
        refused = await node.cni("ADD", pod);
        return false;
      });
      expect(refused.exitCode).toBe(1);
      expect(refused.output?.code).toBe(code);
      expect((await node.mapping()).leases).toEqual([]);
      expect((await node.cli("show", "resource_pool")).stdout.toLowerCase()).toContain(real.toLowerCase());

      // Nothing more can be had, so the node is made ready, with the event that says so; what may pass by itself is waited for.
      if (code !== 11) {
        await until("the conflist is written", 15_000, () => node.exists(node.conflist));
        expect((await node.cli("events")).stdout).toContain("although no more addresses can be had");
      }

      // Said once, and tried again with pauses that grow.
      const before = { calls: await calls(), lines: daemon.log.split("\n").length };
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      expect((await calls()) - before.calls).toBeLessThan(20);
      expect(daemon.log.split("\n").length - before.lines).toBeLessThan(10);
      expect(daemon.log.toLowerCase()).toContain(real.toLowerCase());
      expect(daemon.child.exitCode).toBeNull();

      await cure();
      await until("ADD works again by itself", 90_000, async () => (await node.cni("ADD", pod)).exitCode === 0);
      await node.cni("DEL", pod);
    });
  }
});

/** A refusal shall meet a node without an ENI: state and cloud are made as new. */
async function releaseEverything(): Promise<void> {
  await daemon?.stop();
  daemon = undefined;
  await rm(`${node.directory}/state`, { recursive: true, force: true });
  await rm(node.conflist, { force: true });
  for (const eni of (await node.lab.cloud.state()).enis) {
    if (eni.type === "Secondary") await node.lab.cloud.command("vanishEni", { id: eni.id });
  }
}

test("a full node: code 104, and STATUS stays silent, because a full node is not a broken one", async () => {
  await node.writeConf({ max_eni: 1, min_pool_size: 0, max_pool_size: 1 });
  daemon = await node.start();
  const pods = [];
  for (;;) {
    const pod = await node.pod();
    const answer = await node.cni("ADD", pod);
    if (answer.exitCode !== 0) {
      expect(answer.output?.code).toBe(104);
      break;
    }
    pods.push(pod);
    expect(pods.length).toBeLessThan(40);
  }
  expect(await node.cni("STATUS")).toMatchObject({ exitCode: 0 });
  for (const pod of pods) await node.cni("DEL", pod);
});

describe("the instance metadata is away", () => {
  test("at the first start: the daemon stays, says why, and recovers by itself", async () => {
    await rm(`${node.directory}/state`, { recursive: true, force: true });
    await rm(node.conflist, { force: true });
    daemon = await node.start({ unawaited: true, env: { TERWAY_METADATA_ENDPOINT: "http://127.0.0.1:9" } });
    await until("STATUS says why", 20_000, async () => (await node.cni("STATUS")).output?.code === 50);
    const pod = await node.pod();
    expect((await node.cni("ADD", pod)).output).toMatchObject({ code: 11, msg: expect.stringContaining("metadata") });
    expect((await node.cni("DEL", pod)).exitCode).toBe(0);
    expect(await node.exists(node.conflist)).toBe(false);
  });

  test("at a later start: pods are guarded and deleted all the same", async () => {
    daemon = await node.start();
    const [kept, gone] = [await node.pod(), await node.pod()];
    await node.add(kept);
    await node.add(gone);
    await daemon.stop("SIGKILL");
    daemon = await node.start({ unawaited: true, env: { TERWAY_METADATA_ENDPOINT: "http://127.0.0.1:9" } });
    await until("the daemon answers", 60_000, async () => (await node.get("/healthz")).status === 200);
    expect((await node.cni("DEL", gone)).exitCode).toBe(0);
    expect((await node.mapping()).leases.map((lease) => lease.id)).toEqual([`${kept.containerId}/eth0`]);
    expect((await node.cni("ADD", kept)).exitCode).toBe(0);
    expect(await node.pings(kept, node.machine.primary.ipv4)).toBe(true);
    await node.cni("DEL", kept);
  });
});
