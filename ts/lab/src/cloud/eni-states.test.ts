import { describe, expect, it } from "vitest";
import type { FabricPort } from "./fabric-port.ts";
import { ids, openRegion } from "./testing/region.ts";

const timed = {
  settings: { delays: { attach: { min: 1000, max: 1000 }, detach: { min: 2000, max: 2000 }, delete: { min: 500, max: 500 } } },
} as const;

describe("the states of an ENI", () => {
  it("takes the time that the settings say", async () => {
    const { clock, createEni, call, eni, simulator } = await openRegion(timed);
    const id = await createEni();
    const target = { NetworkInterfaceId: id, InstanceId: ids.instance };
    expect(eni(id).status).toBe("Available");
    await call("AttachNetworkInterface", target);
    expect(eni(id)).toMatchObject({ status: "Attaching", instanceId: ids.instance });
    await clock.advance(999);
    expect(eni(id).status).toBe("Attaching");
    await clock.advance(1);
    expect(eni(id).status).toBe("InUse");
    await call("DetachNetworkInterface", target);
    expect(eni(id).status).toBe("Detaching");
    await clock.advance(2000);
    expect(eni(id)).toMatchObject({ status: "Available" });
    expect(eni(id).instanceId).toBeUndefined();
    await call("DeleteNetworkInterface", { NetworkInterfaceId: id });
    expect(eni(id).status).toBe("Deleting");
    await clock.advance(500);
    expect(simulator.state().enis.has(id)).toBe(false);
  });

  it("refuses what the state does not allow, and says which state it is", async () => {
    const { createEni, call, code } = await openRegion(timed);
    const id = await createEni();
    const target = { NetworkInterfaceId: id, InstanceId: ids.instance };
    await call("AttachNetworkInterface", target);
    expect(await code("AttachNetworkInterface", target)).toBe("ok");
    expect(await code("DetachNetworkInterface", target)).toBe("InvalidOperation.InvalidEniState");
    expect(await code("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "1" })).toBe(
      "InvalidOperation.InvalidEniState",
    );
    await expect(call("DeleteNetworkInterface", { NetworkInterfaceId: id })).rejects.toThrow(/Attaching; expected Available/);
  });

  it("treats detaching what is free, and deleting what is being deleted, as done", async () => {
    const { createEni, call, code, eni } = await openRegion(timed);
    const id = await createEni();
    expect(await code("DetachNetworkInterface", { NetworkInterfaceId: id, InstanceId: ids.instance })).toBe("ok");
    await call("DeleteNetworkInterface", { NetworkInterfaceId: id });
    const { transition } = eni(id);
    expect(await code("DeleteNetworkInterface", { NetworkInterfaceId: id })).toBe("ok");
    expect(eni(id).transition).toEqual(transition);
  });

  it("keeps the addresses of an ENI taken until it is really gone", async () => {
    const { clock, createEni, call, code } = await openRegion(timed);
    const id = await createEni({ VSwitchId: ids.tiny, SecondaryPrivateIpAddressCount: "3" });
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.tiny, SecurityGroupId: ids.group })).toBe("InvalidVSwitchId.IpNotEnough");
    await call("DeleteNetworkInterface", { NetworkInterfaceId: id });
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.tiny, SecurityGroupId: ids.group })).toBe("InvalidVSwitchId.IpNotEnough");
    await clock.advance(500);
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.tiny, SecurityGroupId: ids.group })).toBe("ok");
  });
});

/** Writes down what it is told; holds each step until released. */
function heldFabric() {
  const log: string[] = [];
  const waiting: (() => void)[] = [];
  let holding = false;
  const hold = (text: string) => {
    log.push(text);
    return holding ? new Promise<void>((resolve) => waiting.push(resolve)) : Promise.resolve();
  };
  const fabric: FabricPort = {
    plug: (eni) => hold(`plug ${eni.type} ${eni.primaryIpv4} via ${eni.vSwitch.gateway}`),
    unplug: (eniId) => hold(`unplug ${eniId}`),
    assign: (eniId, addresses) => hold(`assign ${eniId} ${addresses.join(" ")}`),
    unassign: (eniId, addresses) => hold(`unassign ${eniId} ${addresses.join(" ")}`),
    regroup: (eniId, groups) => hold(`regroup ${eniId} ${groups.join(" ")}`),
    putGroup: (group) => hold(`put group ${group.id} ${group.rules.length}`),
    removeGroup: (id) => hold(`remove group ${id}`),
  };
  return {
    fabric,
    log,
    hold: () => {
      holding = true;
    },
    release: () => {
      holding = false;
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

describe("the fabric", () => {
  it("is asked first: InUse after plug, Available after unplug", async () => {
    const held = heldFabric();
    const { clock, createEni, call, eni } = await openRegion({ fabric: held.fabric });
    expect(held.log).toEqual([`put group ${ids.group} 0`, "plug Primary 10.0.0.1 via 10.0.0.253"]);
    const id = await createEni();
    held.hold();
    await call("AttachNetworkInterface", { NetworkInterfaceId: id, InstanceId: ids.instance });
    await clock.advance(60_000);
    expect(eni(id).status).toBe("Attaching");
    held.release();
    await clock.advance(0);
    expect(eni(id).status).toBe("InUse");
    held.hold();
    await call("DetachNetworkInterface", { NetworkInterfaceId: id, InstanceId: ids.instance });
    await clock.advance(60_000);
    expect(eni(id).status).toBe("Detaching");
    held.release();
    await clock.advance(0);
    expect(eni(id).status).toBe("Available");
  });

  it("has the addresses before assign and unassign are answered, and a second call meanwhile is refused", async () => {
    const held = heldFabric();
    const { clock, attachEni, simulator, code, eni } = await openRegion({ fabric: held.fabric });
    const id = await attachEni();
    held.hold();
    let answered = false;
    const assign = simulator.call("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "2" }).then(() => {
      answered = true;
    });
    await clock.advance(10);
    expect(answered).toBe(false);
    expect(held.log.at(-1)).toBe(`assign ${id} 10.0.0.3 10.0.0.4`);
    expect(await code("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": "10.0.0.3" })).toBe(
      "Operation.Conflict",
    );
    held.release();
    await assign;
    held.hold();
    const unassign = simulator.call("UnassignPrivateIpAddresses", { NetworkInterfaceId: id, "PrivateIpAddress.1": "10.0.0.3" });
    await clock.advance(10);
    // No longer shown, not yet free.
    expect(eni(id).ipv4).toEqual(["10.0.0.2", "10.0.0.4"]);
    expect(eni(id).releasing).toEqual(["10.0.0.3"]);
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, PrimaryIpAddress: "10.0.0.3" })).toBe(
      "InvalidIp.IpAssigned",
    );
    held.release();
    await unassign;
    expect(eni(id).releasing).toEqual([]);
    expect(await code("CreateNetworkInterface", { VSwitchId: ids.vSwitch, SecurityGroupId: ids.group, PrimaryIpAddress: "10.0.0.3" })).toBe(
      "ok",
    );
  });

  it("that fails is no success: the caller gets InternalError, the ENI stays, the history tells", async () => {
    const failing: FabricPort = { ...heldFabric().fabric, assign: () => Promise.reject(new Error("no such device")) };
    const { attachEni, call, simulator } = await openRegion({ fabric: failing });
    const id = await attachEni();
    await expect(call("AssignPrivateIpAddresses", { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: "1" })).rejects.toThrow(
      /no such device/,
    );
    expect(simulator.history().find((entry) => entry.kind === "fabric")).toMatchObject({
      action: "assign",
      resource: id,
      message: "no such device",
    });
  });

  it("is told to unplug everything at the end", async () => {
    const held = heldFabric();
    const { attachEni, simulator } = await openRegion({ fabric: held.fabric });
    const id = await attachEni();
    await simulator.close();
    expect(held.log).toContain(`unplug ${id}`);
    expect(held.log.filter((line) => line.startsWith("unplug"))).toHaveLength(2);
  });
});
