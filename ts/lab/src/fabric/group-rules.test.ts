import { expect, test } from "vitest";
import type { FabricGroup, FabricRule } from "../cloud/fabric-port.ts";
import { chainName, chainRules } from "./group-rules.ts";
import { SecurityGroups } from "./security-groups.ts";
import { verdict } from "./verdict.ts";

const rule = (changes: Partial<FabricRule>): FabricRule => ({
  direction: "ingress",
  accept: true,
  priority: 1,
  protocol: "tcp",
  peer: { cidr: "10.0.0.0/8" },
  ...changes,
});
const normal: FabricGroup = { id: "sg-n", type: "normal", innerAccess: true, rules: [] };
const enterprise: FabricGroup = { id: "sg-e", type: "enterprise", innerAccess: false, rules: [] };

test("a normal group lets its members in and everything out; an enterprise group nothing", () => {
  expect(chainRules("ingress", [normal])).toEqual([
    "ip saddr @members4_sg-n return",
    "ip6 saddr @members6_sg-n return",
    "counter name denied_ingress drop",
  ]);
  expect(chainRules("egress", [normal])).toEqual(["ip daddr @members4_sg-n return", "ip6 daddr @members6_sg-n return"]);
  expect(chainRules("ingress", [enterprise])).toEqual(["counter name denied_ingress drop"]);
  expect(chainRules("egress", [enterprise])).toEqual(["counter name denied_egress drop"]);
});

test("rules of all groups stand in the order of their priority, drop before accept", () => {
  const one = { ...normal, innerAccess: false, rules: [rule({ priority: 5, ports: [80, 80] }), rule({ priority: 1, ports: [22, 23] })] };
  const two = { ...one, id: "sg-m", rules: [rule({ priority: 5, accept: false }), rule({ direction: "egress", accept: false })] };
  expect(chainRules("ingress", [one, two])).toEqual([
    "ip saddr 10.0.0.0/8 meta l4proto tcp th dport 22-23 return",
    "ip saddr 10.0.0.0/8 meta l4proto tcp counter name denied_ingress drop",
    "ip saddr 10.0.0.0/8 meta l4proto tcp th dport 80-80 return",
    "counter name denied_ingress drop",
  ]);
  expect(chainRules("egress", [one, two])).toEqual(["ip daddr 10.0.0.0/8 meta l4proto tcp counter name denied_egress drop"]);
});

test("a rule matches the families that it is about, and may narrow the group's own addresses", () => {
  const of = (changes: Partial<FabricRule>) => chainRules("ingress", [{ ...enterprise, rules: [rule(changes)] }]).slice(0, -1);
  expect(of({ protocol: "all", peer: { groupId: "sg-x" } })).toEqual(["ip saddr @members4_sg-x return", "ip6 saddr @members6_sg-x return"]);
  expect(of({ protocol: "icmp", peer: { groupId: "sg-x" } })).toEqual(["ip saddr @members4_sg-x meta l4proto icmp return"]);
  expect(of({ protocol: "icmpv6", peer: { cidr: "fd00::/8" } })).toEqual(["ip6 saddr fd00::/8 meta l4proto ipv6-icmp return"]);
  expect(of({ own: "10.1.0.0/16", sourcePorts: [1, 9] })).toEqual([
    "ip saddr 10.0.0.0/8 ip daddr 10.1.0.0/16 meta l4proto tcp th sport 1-9 return",
  ]);
});

test("ENIs with the same groups share their chains, which go with the last of them", () => {
  const groups = new SecurityGroups();
  expect(groups.put(normal)).toContain("add set inet groups members4_sg-n");
  expect(groups.plug("p-1", ["sg-n", "sg-m"], ["10.0.1.1", "fd00::1"])).toContain(
    `add chain inet groups ${chainName("ingress", ["sg-m", "sg-n"])}`,
  );
  const second = groups.plug("p-2", ["sg-m", "sg-n"], ["10.0.1.16/28"]);
  expect(second).not.toContain("chain");
  expect(second).toContain("add element inet groups members4_sg-n { 10.0.1.16/28 }");
  expect(groups.unplug("p-1")).not.toContain("delete chain");
  expect(groups.unplug("p-2")).toContain("delete chain");
  expect(groups.unplug("p-2")).toBe("");
});

test("the verdict by the text: stateless view of the first packet, both directions", () => {
  const groups = new Map([enterprise, { ...normal, rules: [rule({ ports: [80, 80] })] }].map((group) => [group.id, group]));
  const [a, b] = [
    { groupIds: ["sg-n"], addresses: ["10.0.1.1", "fd00::1"] },
    { groupIds: ["sg-e"], addresses: ["10.0.1.2", "fd00::2"] },
  ];
  const ask = (from: typeof a, to: typeof a, port: number) =>
    verdict(groups, [a, b], from, to, { protocol: "tcp", source: from.addresses[0] ?? "", destination: to.addresses[0] ?? "", port });
  expect([ask(a, b, 80), ask(b, a, 80), ask(a, a, 9)]).toEqual(["denied by ingress", "denied by egress", "delivered"]);
});
