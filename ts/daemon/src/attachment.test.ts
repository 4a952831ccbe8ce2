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
  });
});

test("a lease of a whole ENI: the ENI itself, with a pair to the node for Services, the node-local DNS cache and what is configured", () => {
  const lease = sampleLease({ exclusive: true });
  const choice = { defaultRoute: true, extraRoutes: [] };
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
  expect(buildAttachment(lease, sampleNetwork, { defaultRoute: false, extraRoutes: [] })).toMatchObject({ hostPeer: false });
});

test("the node's address of a family that the pod lacks is left out", () => {
  const { ipv6, ...lease } = sampleLease();
  expect(ipv6).toBeDefined();
  expect(buildAttachment(lease, sampleNetwork, { defaultRoute: true, extraRoutes: [] })).not.toHaveProperty("hostIpv6");
});

test("the second interface of a pod has a host end of its own, the configuration's MTU wins", () => {
  const lease = sampleLease({ id: "c0ffee/eth1", sandbox: { ...sampleLease().sandbox, ifName: "eth1" } });
  const attachment = buildAttachment(lease, sampleNetwork, { mtu: 8500, defaultRoute: false, extraRoutes: [] });
  expect(attachment).toMatchObject({ hostIfName: "cali1547d1bc229", mtu: 8500, defaultRoute: false });
});

test("comes back from the journal as it was written; another shape is not trusted", () => {
  const payload: unknown = JSON.parse(JSON.stringify(sampleAttachment()));
  expect(readAttachment(sampleLease({ payload }))).toEqual(sampleAttachment());
  expect(readAttachment(sampleLease({ payload: { ...sampleAttachment(), mode: "vpc" } }))).toBeUndefined();
  expect(readAttachment(sampleLease())).toBeUndefined();
});
