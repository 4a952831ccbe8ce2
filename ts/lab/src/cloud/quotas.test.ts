import { describe, expect, it } from "vitest";
import { instanceTypes, limitsOf } from "./instance-types.ts";
import { ids, openRegion } from "./testing/region.ts";

describe("the catalogue of instance types", () => {
  it("has the shapes that break assumptions", () => {
    expect(limitsOf("ecs.t1.xsmall")).toMatchObject({ enis: 1, ipv4: 1 });
    expect(limitsOf("ecs.g6.large")).toMatchObject({ enis: 2, ipv4: 6, ipv6: 1, trunk: false });
    expect(limitsOf("ecs.g7.xlarge")).toMatchObject({ enis: 4, total: 20, ipv4: 15, ipv6: 15, trunk: true });
    expect(limitsOf("ecs.ebmre7p.32xlarge").total - limitsOf("ecs.ebmre7p.32xlarge").enis).toBe(78);
    expect(limitsOf("ecs.ebmg5.24xlarge")).toMatchObject({ enis: 32, ipv6: 0 });
  });

  it("is consistent", () => {
    for (const [name, { enis, total, ipv4, ipv6, trunk }] of instanceTypes) {
      expect(enis, name).toBeGreaterThanOrEqual(1);
      expect(total, name).toBeGreaterThanOrEqual(enis);
      expect(total > enis, name).toBe(trunk);
      expect(ipv6, name).toBeLessThanOrEqual(ipv4);
    }
  });
});

describe("quotas", () => {
  it("stops at the ENIs of the instance type, and leaves the ENI unattached", async () => {
    const { attachEni, createEni, code, eni } = await openRegion();
    for (let count = 0; count < 3; count++) await attachEni();
    const extra = await createEni();
    expect(await code("AttachNetworkInterface", { NetworkInterfaceId: extra, InstanceId: ids.instance })).toBe(
      "EniPerInstanceLimitExceeded",
    );
    expect(eni(extra).status).toBe("Available");
  });

  it("counts an ENI that is still attaching or detaching", async () => {
    const slow = { attach: { min: 1000, max: 1000 }, detach: { min: 1000, max: 1000 } };
    const { attachEni, createEni, code } = await openRegion({ settings: { delays: slow } });
    for (let count = 0; count < 3; count++) await attachEni();
    expect(await code("AttachNetworkInterface", { NetworkInterfaceId: await createEni(), InstanceId: ids.instance })).toBe(
      "EniPerInstanceLimitExceeded",
    );
  });

  it("stops at the IPv4 and IPv6 slots of the type, the primary address counted", async () => {
    const { attachEni, code, eni } = await openRegion();
    const id = await attachEni({ SecondaryPrivateIpAddressCount: "9" });
    const assign = (count: number) =>
      code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: String(count) });
    expect(await assign(6)).toBe("InvalidOperation.Ipv4CountExceeded");
    expect(await assign(5)).toBe("ok");
    expect(eni(id).ipv4).toHaveLength(15);
    expect(await assign(1)).toBe("InvalidOperation.Ipv4CountExceeded");
    const assign6 = (count: number) => code("AssignIpv6Addresses", { NetworkInterfaceId: id, Ipv6AddressCount: String(count) });
    expect(await assign6(10)).toBe("ok");
    expect(await assign6(6)).toBe("InvalidOperation.Ipv6CountExceeded");
    expect(await assign6(5)).toBe("ok");
  });

  it("gives at most ten addresses a call", async () => {
    const { attachEni, code } = await openRegion();
    const id = await attachEni();
    expect(await code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "11" })).toBe(
      "InvalidParameter",
    );
    expect(await code("AssignIpv6Addresses", { NetworkInterfaceId: id, Ipv6AddressCount: "11" })).toBe("InvalidParameter");
  });

  it("does not attach an ENI with more addresses than the type has slots", async () => {
    const { createEni, code, simulator } = await openRegion();
    await simulator.createInstance({ id: "i-small", type: "ecs.g6.large", vSwitchId: ids.vSwitch, securityGroupIds: [ids.group] });
    const id = await createEni({ SecondaryPrivateIpAddressCount: "6" });
    expect(await code("AttachNetworkInterface", { NetworkInterfaceId: id, InstanceId: "i-small" })).toBe(
      "InvalidOperation.Ipv4CountExceeded",
    );
  });

  it("gives no IPv6 on a type without it", async () => {
    const { attachEni, code, simulator } = await openRegion();
    await simulator.createInstance({ id: "i-metal", type: "ecs.ebmg5.24xlarge", vSwitchId: ids.vSwitch, securityGroupIds: [ids.group] });
    const id = await attachEni({}, "i-metal");
    expect(await code("AssignIpv6Addresses", { NetworkInterfaceId: id, Ipv6AddressCount: "1" })).toBe("InvalidOperation.Ipv6NotSupport");
  });

  it("stops at the ENIs of the account and at the capacity of the security group", async () => {
    const { createEni, code, simulator } = await openRegion({ settings: { maxEnis: 2 } });
    const create = { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group };
    await createEni();
    await createEni();
    expect(await code("CreateNetworkInterface", create)).toBe("MaxEniCountExceeded");
    simulator.settings({ maxEnis: 10 });
    simulator.admin("setSecurityGroup", { id: ids.group, capacity: 3 });
    expect(await code("CreateNetworkInterface", create)).toBe("SecurityGroupInstanceLimitExceed");
    expect(simulator.state().enis.size).toBe(3);
  });
});
