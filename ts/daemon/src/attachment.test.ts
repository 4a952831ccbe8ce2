import { expect, test } from "vitest";
import { buildAttachment, readAttachment } from "./attachment.ts";
import { sampleAttachment, sampleLease, sampleNetwork } from "./testing/samples.ts";

test("takes names from the pod, addresses from the lease, the rest from the node", () => {
  expect(sampleAttachment()).toEqual({
    id: "c0ffee/eth0",
    generation: 7,
    mode: "policy_route",
    netns: "/var/run/netns/pod",
    ifName: "eth0",
    hostIfName: "calic95a4947e07",
    mtu: 1500,
    ipv4: { address: "10.0.1.23", prefixLength: 24, gateway: "10.0.1.253" },
    ipv6: { address: "2001:db8:1::23", prefixLength: 64, gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd" },
    eniMac: "00:16:3e:00:00:01",
    hostIpv4: "10.0.0.10",
    hostIpv6: "2001:db8::10",
    defaultRoute: true,
    extraRoutes: [],
    ruleForm: "compact",
    hostStackCidrs: ["172.16.0.0/16", "169.254.20.10/32"],
  });
});

test("a lease of a whole ENI: the ENI itself, with a pair to the node for Services, the node-local DNS cache and what is configured", () => {
  const lease = sampleLease({ exclusive: true });
  const choice = { mode: "exclusive", defaultRoute: true } as const;
  expect(buildAttachment(lease, sampleNetwork, choice)).toMatchObject({
    mode: "exclusive",
    eniMac: "00:16:3e:00:00:01",
    hostPeer: true,
    hostStackCidrs: ["172.16.0.0/16", "169.254.20.10/32"],
  });
  expect(
    buildAttachment(lease, sampleNetwork, { ...choice, hostPeer: false, hostStackCidrs: ["10.9.0.0/16", "172.16.0.0/16"] }),
  ).toMatchObject({ hostPeer: false, hostStackCidrs: ["172.16.0.0/16", "10.9.0.0/16"] });
});

test("a further interface with an ENI of its own has no pair to the node", () => {
  const lease = sampleLease({ exclusive: true, id: "c0ffee/eth1", sandbox: { ...sampleLease().sandbox, ifName: "eth1" } });
  expect(buildAttachment(lease, sampleNetwork, { mode: "exclusive", defaultRoute: false })).toMatchObject({ hostPeer: false });
});

test("the node's address of a family that the pod lacks is left out", () => {
  const { ipv6, ...lease } = sampleLease();
  expect(ipv6).toBeDefined();
  expect(buildAttachment(lease, sampleNetwork, { mode: "policy_route", defaultRoute: true })).not.toHaveProperty("hostIpv6");
});

test("destinations of a family that the pod lacks are left out; the node's and the call's are united", () => {
  const { ipv6: _, ...lease } = sampleLease();
  const network = { ...sampleNetwork, extraRoutes: ["192.168.0.0/16", "fd00::/8"], serviceCidrs: ["172.16.0.0/16", "fd01::/112"] };
  const choice = {
    mode: "ipvlan",
    defaultRoute: true,
    extraRoutes: ["192.168.0.0/16", "10.8.0.0/16"],
    hostStackCidrs: ["fd02::a/128"],
  } as const;
  expect(buildAttachment(lease, network, choice)).toMatchObject({
    mode: "ipvlan",
    extraRoutes: ["192.168.0.0/16", "10.8.0.0/16"],
    hostStackCidrs: ["172.16.0.0/16"],
  });
});

test("the second interface of a pod has a host end of its own, the configuration's MTU wins", () => {
  const lease = sampleLease({ id: "c0ffee/eth1", sandbox: { ...sampleLease().sandbox, ifName: "eth1" } });
  const attachment = buildAttachment(lease, sampleNetwork, { mode: "policy_route", mtu: 8500, defaultRoute: false });
  expect(attachment).toMatchObject({ hostIfName: "cali1547d1bc229", mtu: 8500, defaultRoute: false });
});

test("an ENI with other groups than the node's keeps its pods' traffic off the node, unless local delivery is chosen", () => {
  const network = { ...sampleNetwork, securityGroupIds: ["sg-1", "sg-2"] };
  const ownGroups = (
    eniGroups: readonly string[] | undefined,
    more: object = {},
    mode: "policy_route" | "netkit" | "ipvlan" = "policy_route",
  ) => buildAttachment(sampleLease(), { ...network, ...more }, { mode, defaultRoute: true, eniGroups }).ownGroups;
  expect(ownGroups(["sg-2", "sg-1"])).toBeUndefined();
  expect(ownGroups(["sg-1"])).toBe(true);
  expect(ownGroups(["sg-1", "sg-2", "sg-3"], {}, "netkit")).toBe(true);
  expect(ownGroups(["sg-1", "sg-3"])).toBe(true);
  // Unknown on either side; a mode that never delivers between ENIs; the choice of the node.
  expect(ownGroups(undefined)).toBeUndefined();
  expect(ownGroups(["sg-3"], { securityGroupIds: [] })).toBeUndefined();
  expect(ownGroups(["sg-3"], {}, "ipvlan")).toBeUndefined();
  expect(ownGroups(["sg-3"], { localDeliveryAcrossSecurityGroups: true })).toBeUndefined();
});

test("comes back from the journal as it was written; another shape is not trusted", () => {
  const payload: unknown = JSON.parse(JSON.stringify(sampleAttachment()));
  const own = { ...sampleAttachment(), ownGroups: true };
  expect(readAttachment(sampleLease({ payload: own }))).toEqual(own);
  expect(readAttachment(sampleLease({ payload }))).toEqual(sampleAttachment());
  expect(readAttachment(sampleLease({ payload: { ...sampleAttachment(), mode: "vpc" } }))).toBeUndefined();
  expect(readAttachment(sampleLease())).toBeUndefined();
});
