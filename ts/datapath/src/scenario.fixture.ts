/**
 * Runs inside the node's network namespace, started by `index.netns.test.ts`: one attachment from attach to close, each answer printed as JSON.
 * Arguments: the pod's namespace path and the ENI's MAC.
 */
import { execFileSync } from "node:child_process";
import type { Attachment, Repair } from "@terway/model";
import { openDatapath } from "./index.ts";

const [netns, eniMac] = process.argv.slice(2);
if (netns === undefined || eniMac === undefined) throw new Error("usage: scenario.fixture.ts NETNS ENI_MAC");

const attachment: Attachment = {
  id: "c0ffee/eth0",
  generation: 1,
  mode: "policy_route",
  netns,
  ifName: "eth0",
  hostIfName: "calic95a4947e07",
  mtu: 1500,
  ipv4: { address: "10.0.1.23", prefixLength: 24, gateway: "10.0.1.253" },
  ipv6: { address: "2001:db8:1::23", prefixLength: 64, gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd" },
  eniMac,
  hostIpv4: "10.0.0.10",
  hostIpv6: "2001:db8::10",
  defaultRoute: true,
  extraRoutes: [],
  ruleForm: "compact",
};
const target = { id: attachment.id, hostIfName: attachment.hostIfName, addresses: ["10.0.1.23", "2001:db8:1::23"] };

const datapath = openDatapath();
const repairs: Repair[] = [];
let repaired = () => {};
datapath.startRepair({ scanIntervalMs: 60_000, pods: true }, (repair) => {
  repairs.push(repair);
  repaired();
});

/** Takes a rule away and waits until its repair is reported. */
async function sabotage(): Promise<readonly Repair[]> {
  const report = new Promise<void>((resolve) => {
    repaired = resolve;
  });
  // A weak callback does not keep the process alive; this timer does.
  const alive = setTimeout(() => {}, 10_000);
  execFileSync("ip", ["rule", "del", "from", "10.0.1.23", "pref", "2358"]);
  await report;
  clearTimeout(alive);
  return repairs.splice(0);
}

const answers = {
  capabilities: await datapath.probe(),
  hostAddresses: await datapath.hostAddresses(),
  invalid: await datapath.attach({ ...attachment, mtu: 1000 }, 0),
  noEni: await datapath.attach({ ...attachment, eniMac: "00:16:3e:ff:ff:ff" }, 20),
  gone: await datapath.attach({ ...attachment, netns: "/run/netns/no-such-namespace" }, 20),
  attached: await datapath.attach(attachment, 1000),
  again: await datapath.attach(attachment, 1000),
  check: await datapath.check(attachment),
  repaired: await sabotage(),
  mended: await datapath.check(attachment),
  survey: await datapath.survey(),
  status: datapath.status(),
  parallel: (await Promise.all(Array.from({ length: 20 }, () => datapath.check(attachment)))).every((outcome) => outcome.ok),
  symmetric: await datapath.symmetricRouting({ backend: "nftables", mark: 0x20, mask: 0x20 }),
  symmetricRefused: await datapath.symmetricRouting({ tableId: 254 }),
  symmetricOff: await datapath.symmetricRouting(null),
  detached: await datapath.detach(target),
  detachedAgain: await datapath.detach(target),
  afterwards: await datapath.check(attachment),
  collected: await datapath.collect(),
  repairs,
};
await datapath.close(5000);
process.stdout.write(JSON.stringify(answers));
