import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import { kernelFeatures } from "@terway/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const id = `dp${process.pid.toString(36)}`;
const [node, pod, vpc] = [`${id}-node`, `${id}-pod`, `${id}-vpc`];
const eniMac = "00:16:3e:00:00:01";
const scenario = fileURLToPath(new URL("./scenario.fixture.ts", import.meta.url));
const addon = fileURLToPath(new URL(`../generated/datapath.linux-${process.arch}-gnu.node`, import.meta.url));
const missing =
  process.getuid?.() !== 0 ? "needs root for network namespaces" : existsSync(addon) ? "" : "needs the addon: npm run build -w ts/datapath";
if (missing !== "") console.log(`SKIP ts/datapath through Node: ${missing}`);

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8" });
}

describe.skipIf(missing !== "")("the native datapath through Node", () => {
  // What the scenario printed is read by the assertions below alone.
  // biome-ignore lint/suspicious/noExplicitAny: each assertion states the shape it expects.
  let answers: any;

  beforeAll(() => {
    for (const name of [node, pod, vpc]) ip("netns", "add", name);
    ip("-n", vpc, "link", "add", "vpc0", "type", "veth", "peer", "name", "eth0", "netns", node);
    ip("-n", vpc, "link", "add", "vpc1", "type", "veth", "peer", "name", "eth1", "address", eniMac, "netns", node);
    ip("-n", vpc, "link", "set", "vpc0", "up");
    ip("-n", vpc, "link", "set", "vpc1", "up");
    ip("-n", node, "link", "set", "eth0", "up");
    ip("-n", node, "addr", "add", "10.0.0.10/24", "dev", "eth0");
    ip("-n", node, "addr", "add", "2001:db8::10/64", "dev", "eth0", "nodad");
    ip("-n", node, "route", "add", "default", "via", "10.0.0.253", "dev", "eth0");
    const output = execFileSync("ip", ["netns", "exec", node, process.execPath, scenario, `/run/netns/${pod}`, eniMac], {
      encoding: "utf8",
      timeout: 20_000,
    });
    answers = JSON.parse(output);
  }, 30_000);

  afterAll(() => {
    for (const name of [node, pod, vpc]) ip("netns", "del", name);
  });

  it("knows the node's addresses", () => {
    expect(answers.hostAddresses).toEqual({ ipv4: "10.0.0.10", ipv6: "2001:db8::10", mtu: 1500, ifName: "eth0" });
  });

  it("knows what the kernel can do", () => {
    expect(Object.keys(answers.capabilities)).toEqual(["release", ...kernelFeatures]);
    expect(answers.capabilities.release).toBe(release());
    expect(answers.capabilities.veth).toEqual({ available: true });
    for (const name of kernelFeatures) {
      const { available, reason } = answers.capabilities[name];
      expect(available ? undefined : "a reason", name).toBe(reason === undefined ? undefined : "a reason");
    }
  });

  it("switches symmetric routing on and off", () => {
    expect(answers.symmetric).toEqual({ ok: true, value: { interface: "eth0", families: ["ipv4"] } });
    expect(answers.symmetricRefused).toMatchObject({ ok: false, error: { code: "invalid_attachment", object: "table_id" } });
    expect(answers.symmetricOff).toEqual({ ok: true });
  });

  it("gives expected failures as values", () => {
    expect(answers.invalid).toMatchObject({ ok: false, error: { code: "invalid_attachment", object: "mtu" } });
    expect(answers.noEni).toMatchObject({
      ok: false,
      error: { code: "eni_not_found", message: expect.stringContaining("00:16:3e:ff:ff:ff") },
    });
    expect(answers.gone).toMatchObject({ ok: false, error: { code: "netns_gone", errno: 2 } });
  });

  it("attaches once, and finds nothing to do the second time", () => {
    expect(answers.attached).toMatchObject({ ok: true, value: { hostIfName: "calic95a4947e07" } });
    expect(answers.attached.value.steps).toBeGreaterThan(0);
    expect(answers.again).toMatchObject({ ok: true, value: { steps: 0, hostMac: answers.attached.value.hostMac } });
    expect(answers.check).toEqual({ ok: true, value: [] });
    expect(answers.parallel).toBe(true);
    expect(answers.status).toMatchObject({ attachments: 1 });
    expect(answers.survey.value).toEqual([
      { id: "c0ffee/eth0", hostIfName: "calic95a4947e07", addresses: ["10.0.1.23", "2001:db8:1::23"] },
    ]);
  });

  it("reports what it repaired", () => {
    const drift = {
      where: "host",
      kind: "rule",
      object: expect.stringMatching(/^rule 2358: from 10\.0\.1\.23\/32 lookup \d+$/),
      problem: "missing",
    };
    expect(answers.repaired).toEqual([{ attachmentId: "c0ffee/eth0", trigger: "notification", drifts: [drift], failures: [] }]);
    expect(answers.mended).toEqual({ ok: true, value: [] });
  });

  it("detaches, any number of times, and leaves nothing", () => {
    expect(answers.detached).toEqual({ alreadyGone: false, failures: [] });
    expect(answers.detachedAgain).toEqual({ alreadyGone: true, failures: [] });
    expect(answers.afterwards.value.length).toBeGreaterThan(0);
    expect(answers.collected.failures).toEqual([]);
    expect(answers.repairs).toEqual([]);
    expect(ip("-n", node, "-o", "link", "show", "type", "veth").match(/cali|trwy/)).toBeNull();
    for (const family of ["-4", "-6"]) {
      expect(ip("-n", node, family, "route", "show", "table", "all", "proto", "116")).toBe("");
      expect(ip("-n", node, "-d", family, "rule", "show")).not.toContain("proto 116");
    }
  });
});
