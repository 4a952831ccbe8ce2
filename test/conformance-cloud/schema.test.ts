/**
 * The vendor's models know every parameter and every answer field by name. What the simulator takes and gives is compared with them,
 * because the client drops unknown fields in silence and would hide a mistake.
 */
import * as ecs from "@alicloud/ecs20140526";
import * as vpc from "@alicloud/vpc20160428";
import { CloudSimulator, operations } from "@terway/lab";
import { describe, expect, it } from "vitest";
import { names, openLab } from "./lab.ts";

interface ModelClass {
  names(): Record<string, string>;
  types(): Record<string, unknown>;
}

function model(product: string, name: string): ModelClass {
  // Every export of the packages but the client is such a class.
  const found = ((product === "Ecs" ? ecs : vpc) as unknown as Record<string, ModelClass | undefined>)[name];
  if (found === undefined) throw new Error(`the vendor has no ${name}`);
  return found;
}

/** Paths of fields in the value that the model does not have, or has as another kind. */
function differences(value: unknown, type: unknown, path: string): string[] {
  if (typeof type === "function") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path} is no object`];
    // A function in types() is a model class.
    const modelClass = type as unknown as ModelClass;
    const fields = new Map(Object.entries(modelClass.names()).map(([name, wire]) => [wire, modelClass.types()[name]]));
    return Object.entries(value).flatMap(([wire, child]) =>
      fields.has(wire) ? differences(child, fields.get(wire), `${path}.${wire}`) : [`${path}.${wire} is unknown`],
    );
  }
  if (typeof type === "object" && type !== null && "itemType" in type) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((item) => differences(item, type.itemType, `${path}[]`));
  }
  return typeof value === type ? [] : [`${path} is ${typeof value}, not ${String(type)}`];
}

describe("parameters", () => {
  it.each([...operations.values()].map((operation) => [operation.action, operation] as const))(
    "of %s are all known to the vendor's client",
    (action, operation) => {
      const known = Object.values(model(operation.product, `${action}Request`).names());
      expect(operation.parameters.filter((name) => !known.includes(name))).toEqual([]);
    },
  );
});

describe("answers", () => {
  it("have only fields that the vendor's models have, of the same kinds", async () => {
    await using lab = await openLab();
    const { simulator } = lab;
    const seen = new Set<string>();
    const call = async (action: string, parameters: Record<string, string>) => {
      const body = await simulator.call(action, parameters);
      const product = operations.get(action)?.product ?? "";
      expect(differences(body, model(product, `${action}ResponseBody`), action)).toEqual([]);
      seen.add(action);
      return body;
    };
    const created = await call("CreateNetworkInterface", {
      VSwitchId: names.vSwitch,
      SecurityGroupId: names.group,
      Ipv6AddressCount: "1",
      Ipv4PrefixCount: "1",
      Ipv6PrefixCount: "1",
      "Tag.1.Key": "creator",
      "Tag.1.Value": "terway",
      QueueNumber: "2",
    });
    const NetworkInterfaceId = String(created.NetworkInterfaceId);
    const attachment = { NetworkInterfaceId, InstanceId: names.instance };
    await call("AttachNetworkInterface", attachment);
    await simulator.until((state) => state.enis.get(NetworkInterfaceId)?.status === "InUse");
    await call("AssignPrivateIpAddresses", { NetworkInterfaceId, SecondaryPrivateIpAddressCount: "1" });
    await call("AssignIpv6Addresses", { NetworkInterfaceId, Ipv6AddressCount: "1" });
    await call("AssignIpv6Addresses", { NetworkInterfaceId, Ipv6PrefixCount: "1" });
    await call("AssignPrivateIpAddresses", { NetworkInterfaceId, Ipv4PrefixCount: "1" });
    await call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId, Description: "changed" });
    await call("DescribeNetworkInterfaces", { MaxResults: "10" });
    await call("DescribeNetworkInterfaces", { PageNumber: "1" });
    await call("DescribeNetworkInterfaceAttribute", { NetworkInterfaceId, Attribute: "attachment" });
    await call("DescribeInstances", {});
    await call("DescribeInstanceTypes", { "InstanceTypes.1": "ecs.g7.xlarge" });
    await call("DescribeSecurityGroups", { IsQueryEcsCount: "true" });
    const { SecurityGroupId: made } = await call("CreateSecurityGroup", { VpcId: names.vpc });
    const SecurityGroupId = String(made);
    const inward = { SecurityGroupId, "Permissions.1.IpProtocol": "tcp", "Permissions.1.PortRange": "80/80" };
    await call("AuthorizeSecurityGroup", { ...inward, "Permissions.1.SourceGroupId": names.group });
    await call("AuthorizeSecurityGroupEgress", { SecurityGroupId, IpProtocol: "all", PortRange: "-1/-1", Ipv6DestCidrIp: "::/0" });
    await call("DescribeSecurityGroupAttribute", { SecurityGroupId });
    await call("RevokeSecurityGroup", { ...inward, "Permissions.1.SourceGroupId": names.group });
    await call("RevokeSecurityGroupEgress", { SecurityGroupId, IpProtocol: "all", PortRange: "-1/-1", Ipv6DestCidrIp: "::/0" });
    await call("ModifySecurityGroupPolicy", { SecurityGroupId, InnerAccessPolicy: "Drop" });
    await call("JoinSecurityGroup", { SecurityGroupId, NetworkInterfaceId });
    await call("LeaveSecurityGroup", { SecurityGroupId, NetworkInterfaceId });
    await call("DeleteSecurityGroup", { SecurityGroupId });
    await call("DescribeVSwitches", { VpcId: names.vpc });
    await call("DescribeVSwitchAttributes", { VSwitchId: names.vSwitch });
    const tagged = { ResourceType: "eni", "ResourceId.1": NetworkInterfaceId };
    await call("TagResources", { ...tagged, "Tag.1.Key": "a", "Tag.1.Value": "b" });
    await call("ListTagResources", tagged);
    await call("UntagResources", { ...tagged, "TagKey.1": "a" });
    const eni = simulator.state().enis.get(NetworkInterfaceId);
    await call("UnassignPrivateIpAddresses", { NetworkInterfaceId, "PrivateIpAddress.1": eni?.ipv4.at(-1) ?? "" });
    await call("UnassignIpv6Addresses", { NetworkInterfaceId, "Ipv6Address.1": eni?.ipv6.at(-1) ?? "" });
    await call("DetachNetworkInterface", attachment);
    await simulator.until((state) => state.enis.get(NetworkInterfaceId)?.status === "Available");
    await call("DeleteNetworkInterface", { NetworkInterfaceId });
    // No operation is left out.
    expect([...seen].sort()).toEqual([...operations.keys()].sort());
  });
});

it("answers of a fresh simulator are empty lists, not missing ones", async () => {
  await using simulator = new (class extends CloudSimulator {
    [Symbol.asyncDispose] = () => this.close();
  })();
  expect(await simulator.call("DescribeNetworkInterfaces", {})).toMatchObject({
    NetworkInterfaceSets: { NetworkInterfaceSet: [] },
    TotalCount: 0,
  });
});
