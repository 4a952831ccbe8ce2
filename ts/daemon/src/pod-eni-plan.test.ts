import type { MetadataEni, PodEni } from "@terway/model";
import { podEniSchema } from "@terway/model";
import { describe, expect, test } from "vitest";
import { planPodEni } from "./pod-eni-plan.ts";

const trunkEni: MetadataEni = {
  eniId: "eni-trunk",
  mac: "00:16:3e:00:00:aa",
  vSwitchId: "vsw-1",
  primaryIpv4: "10.0.9.1",
  ipv4: ["10.0.9.1"],
  ipv6: [],
  gatewayIpv4: "10.0.9.253",
  vSwitchCidr: "10.0.9.0/24",
};
const own = { eni: { id: "eni-own", mac: "00:16:3e:00:00:01" }, ipv4: "10.0.1.7", ipv4CIDR: "10.0.1.0/24" };
const member = { ...own, eni: { id: "eni-member", mac: "00:16:3e:00:00:02" }, ipv6: "FD00::7", ipv6CIDR: "fd00::/64", interface: "eth1" };
const bind = { phase: "Bind", trunkENIID: "eni-trunk", eniInfos: { "eni-member": { id: "eni-member", type: "Member", vid: 101 } } };

const podEni = (allocations: readonly unknown[], status: unknown = bind, annotations = {}): PodEni =>
  podEniSchema.parse({
    apiVersion: "network.alibabacloud.com/v1beta1",
    kind: "PodENI",
    metadata: { namespace: "default", name: "web-0", annotations },
    spec: { allocations },
    status,
  });
const plan = (object: PodEni, call = { ifName: "eth0", podUid: "u-1" }, enis = [trunkEni]) =>
  planPodEni(object, call, enis, { trunkMember: "vlan", exclusive: "exclusive" });

test("an ENI of its own and a trunk member, the interface of the call first", () => {
  const extraRoutes = [{ dst: "192.168.0.0/16" }];
  expect(plan(podEni([{ ...member, extraRoutes, defaultRoute: true }, own]))).toEqual({
    ok: true,
    interfaces: [
      {
        ifName: "eth0",
        mode: "exclusive",
        eniId: "eni-own",
        eniMac: "00:16:3e:00:00:01",
        ipv4: { address: "10.0.1.7", prefixLength: 24, gateway: "10.0.1.253" },
        defaultRoute: false,
        extraRoutes: [],
      },
      {
        ifName: "eth1",
        mode: "vlan",
        eniId: "eni-member",
        eniMac: "00:16:3e:00:00:aa",
        ipv4: { address: "10.0.1.7", prefixLength: 24, gateway: "10.0.1.253" },
        ipv6: { address: "fd00::7", prefixLength: 64, gateway: "fd00::ffff:ffff:ffff:fffd" },
        trunk: { vlanId: 101, trunkGatewayIpv4: "10.0.9.253" },
        defaultRoute: true,
        extraRoutes: ["192.168.0.0/16"],
      },
    ],
  });
});

test("without a choice the interface of the call has the default route", () => {
  expect(plan(podEni([own, member]))).toMatchObject({ interfaces: [{ ifName: "eth0", defaultRoute: true }, { defaultRoute: false }] });
});

describe("waits for the control plane", () => {
  test.each([
    ["not attached yet", podEni([own], { ...bind, phase: "Binding" }), '"Binding"'],
    ["no status", podEni([own], {}), "not attached yet"],
    ["an earlier pod of the name", podEni([own], bind, { "k8s.aliyun.com/pod-uid": "u-0" }), "u-0"],
    ["a trunk that the instance does not have", podEni([{ ...member, interface: "eth0" }], { ...bind, trunkENIID: "eni-x" }), "eni-x"],
  ])("%s", (_, object, names) => {
    expect(plan(object)).toMatchObject({ ok: false, waits: true, message: expect.stringContaining(names) });
  });
});

describe("refuses what contradicts itself, naming the field", () => {
  test.each([
    [
      "two default routes",
      podEni([
        { ...own, defaultRoute: true },
        { ...member, defaultRoute: true },
      ]),
      "spec.allocations[1].defaultRoute",
    ],
    ["one interface twice", podEni([own, { ...member, interface: "eth0" }]), "eth0 twice"],
    ["not the interface of the call", podEni([member]), "has no interface eth0"],
    ["no address", podEni([{ eni: own.eni }]), "spec.allocations[0].ipv4 and ipv6"],
    ["no CIDR", podEni([{ ...own, ipv4CIDR: "" }]), "spec.allocations[0].ipv4CIDR"],
    ["a CIDR of the other family", podEni([{ ...own, ipv4CIDR: "fd00::/64" }]), "spec.allocations[0].ipv4CIDR"],
    ["no MAC", podEni([{ ...own, eni: { id: "eni-own" } }]), "eni eni-own has no MAC"],
    ["no VLAN id", podEni([{ ...member, interface: "eth0" }], { ...bind, eniInfos: { "eni-member": { type: "Member", vid: 0 } } }), ".vid"],
  ])("%s", (_, object, names) => {
    expect(plan(object)).toMatchObject({ ok: false, waits: false, message: expect.stringContaining(names) });
  });

  test("a VLAN id beyond 4094 is no PodENI at all", () => {
    expect(() => podEni([member], { ...bind, eniInfos: { "eni-member": { type: "Member", vid: 4095 } } })).toThrow(/vid/);
  });
});
