import type { Ledger } from "@terway/ipam";
import { ApiError, apply, type KubeClient, read } from "@terway/kube";
import { nodeResourceSchema, systemClock, systemRandom } from "@terway/model";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { statusAt } from "../../../ts/controlplane/src/node/status-api.ts";
import { StatusJournal } from "../../../ts/controlplane/src/node/status-journal.ts";
import { installDefinitions, nodeResource } from "../central.ts";
import { useControlPlane } from "../control-plane-fixture.ts";

/** The journal of a node's pool in the status of its Node object, at a real API server: owners, versions, and the object's size. */
const plane = useControlPlane();
let client: KubeClient;
let name = "";
let count = 0;

beforeAll(async () => {
  ({ client } = plane());
  await installDefinitions(client);
});

beforeEach(async () => {
  count += 1;
  name = `node-${count}`;
  const spec = { nodeMetadata: { regionID: "r", instanceType: "t", instanceID: "i-1", zoneID: "z" } };
  await apply(client, { resource: nodeResource, name }, { spec }, { fieldManager: "terwayd", force: true });
});

async function open(onLost: (reason: string) => void = () => {}): Promise<StatusJournal> {
  const journal = await StatusJournal.open({
    ...{ port: statusAt(client, name), name, clock: systemClock, random: systemRandom, onLost },
    node: { instanceId: "i-1", zoneId: "z" },
    shown: { securityGroups: () => ["sg-0123456789abcdefghij"], isRested: () => false },
  });
  if (journal === undefined) throw new Error("there is no such object");
  return journal;
}

const object = async () => {
  const whole = await read(client, { resource: nodeResource, name });
  return { ...nodeResourceSchema.parse(whole), bytes: JSON.stringify(whole).length };
};
const vSwitch = { id: "vsw-0123456789abcdefghij", zoneId: "cn-hangzhou-i", cidr: "10.0.0.0/16" };
const addressesOf = (eni: number, many: number) => Array.from({ length: many }, (_, index) => `10.0.${100 + eni}.${100 + index}`);
const eni = (index: number, many: number) => {
  const ipv4 = addressesOf(index, many);
  const id = `eni-0123456789abcdefgh${String(index).padStart(2, "0")}`;
  const known = { id, mac: `00:16:3e:00:00:${String(index).padStart(2, "0")}`, type: "Secondary" as const, status: "InUse" as const };
  return { ...known, vSwitchId: vSwitch.id, primaryIpv4: ipv4[0] ?? "", ipv4, ipv6: [] };
};
const lease = (eniId: string, address: string, index: number) => {
  const podUid = `0f0e0d0c-0b0a-4908-8706-${String(index).padStart(12, "0")}`;
  const sandbox = {
    containerId: podUid,
    ifName: "eth0",
    netns: "",
    podNamespace: "production-payments",
    podName: `a-deployment-6d4cf56db6-${index}`,
    podUid,
  };
  const ipv4 = { address, prefixLength: 16, gateway: "10.0.255.253" };
  return { id: `${podUid}/eth0`, generation: index + 1, state: "intent" as const, sandbox, eniId, eniMac: "", ipv4, allocatedAtMs: 0 };
};
/** Without what only one process knows. */
const facts = ({ enis, leases, operations }: Ledger) => ({
  enis: [...enis.values()],
  leases: [...leases.keys()].toSorted(),
  operations: [...operations.keys()],
});

test("16 ENIs with 50 addresses each, all bound, are less than 256 KiB with everything that the API server keeps", async () => {
  const journal = await open();
  await journal.commit([{ t: "vswitch", vSwitch }]);
  let number = 0;
  for (let index = 0; index < 16; index += 1) {
    const known = eni(index, 50);
    await journal.commit([{ t: "eni", eni: known }]);
    await journal.commit(known.ipv4.map((address) => ({ t: "lease" as const, lease: lease(known.id, address, number++) })));
  }
  const { bytes, status } = await object();
  expect(Object.keys(status?.networkInterfaces ?? {})).toHaveLength(16);
  expect(bytes).toBeGreaterThan(100 * 1024);
  expect(bytes).toBeLessThan(256 * 1024);
  // Another process reads the same.
  expect(facts((await open()).ledger)).toEqual(facts(journal.ledger));
});

test("what goes from the journal goes from the object, and what others own stays", async () => {
  const journal = await open();
  const [one, two] = [eni(1, 3), eni(2, 2)];
  await journal.commit([
    { t: "vswitch", vSwitch },
    { t: "eni", eni: one },
    { t: "eni", eni: two },
  ]);
  const held = lease(one.id, one.ipv4[1] ?? "", 1);
  await journal.commit([
    { t: "lease", lease: held },
    { t: "begin", operation: { id: "op-1", kind: "remove", eniId: two.id } },
  ]);
  expect((await object()).status?.networkInterfaces?.[two.id]).toMatchObject({ status: "Detaching" });
  await journal.commit([
    { t: "released", id: held.id, generation: held.generation, rest: { wallMs: 1, monotonicMs: 1 } },
    { t: "unassigned", id: one.id, family: "ipv4", addresses: [one.ipv4[2] ?? ""] },
    { t: "eni-gone", id: two.id },
    { t: "end", id: "op-1" },
  ]);
  const { status, spec } = await object();
  expect(Object.keys(status?.networkInterfaces ?? {})).toEqual([one.id]);
  expect(Object.keys(status?.networkInterfaces?.[one.id]?.ipv4 ?? {})).toEqual(one.ipv4.slice(0, 2));
  expect(JSON.stringify(status)).not.toContain("podID");
  expect(spec?.nodeMetadata?.instanceID).toBe("i-1");
});

test("of two that write, the one that does not know the other's word is refused and stops", async () => {
  const lost: string[] = [];
  const [first, second] = [await open(), await open((reason) => lost.push(reason))];
  await first.commit([
    { t: "vswitch", vSwitch },
    { t: "eni", eni: eni(1, 2) },
  ]);
  // The daemon's own writes are no hindrance.
  await apply(client, { resource: nodeResource, name }, {}, { fieldManager: "terwayd", force: true });
  await first.commit([{ t: "eni-status", id: eni(1, 2).id, status: "Detaching" }]);
  await expect(
    second.commit([
      { t: "vswitch", vSwitch },
      { t: "eni", eni: eni(2, 3) },
    ]),
  ).rejects.toThrow("somebody else");
  expect(lost).toHaveLength(1);
  await first.commit([{ t: "eni-status", id: eni(1, 2).id, status: "InUse" }]);
  expect(Object.keys((await object()).status?.networkInterfaces ?? {})).toEqual([eni(1, 2).id]);
  await expect(statusAt(client, name).apply("x", {}, "1")).rejects.toThrow(ApiError);
});
