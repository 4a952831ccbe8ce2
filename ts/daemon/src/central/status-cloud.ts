import { type Cloud, CloudError, type Eni, type EniStatus } from "@terway/model";
import type { OwnResource } from "./own-resource.ts";

const statuses: readonly EniStatus[] = ["Creating", "Available", "Attaching", "InUse", "Detaching", "Deleting"];

/**
 * The cloud as the control plane shows it in this node's object: what is read comes from there, and nothing is ever changed. `tags` are put on the ENIs that
 * are for pods, because the object says it by another word.
 */
export function cloudOf(own: OwnResource, instanceId: string, tags: () => Readonly<Record<string, string>>): Cloud {
  const nics = () => {
    const known = own.nics;
    if (known === undefined)
      throw new CloudError(`Node ${own.name} of centralized IPAM is not filled in yet; terway-controlplane does that`, {
        class: "transient",
        code: "NodeNotReady",
        action: "DescribeNetworkInterfaces",
      });
    return known.flatMap((nic): Eni[] => {
      const status = statuses.find((one) => one === nic.status);
      // Without a name it is only the intent of one.
      if (!nic.macAddress || !nic.primaryIPAddress || status === undefined) return [];
      const addresses = (entries: typeof nic.ipv4) =>
        Object.values(entries ?? {}).flatMap((entry) => (entry.status === "Invalid" ? [] : [entry.ip]));
      return [
        {
          id: nic.id,
          mac: nic.macAddress.toLowerCase(),
          status,
          type: "Secondary",
          zoneId: "",
          vSwitchId: nic.vSwitchID ?? "",
          securityGroupIds: nic.securityGroupIDs ?? [],
          ...(status === "InUse" ? { instanceId } : {}),
          primaryIpv4: nic.primaryIPAddress,
          ipv4: addresses(nic.ipv4),
          ipv6: addresses(nic.ipv6),
          tags: nic.unschedulable ? {} : tags(),
        },
      ];
    });
  };
  const refuse = async (): Promise<never> => {
    throw new CloudError("with centralized IPAM a node calls no cloud", { class: "denied", code: "CentralizedIpam", action: "" });
  };
  return {
    describeEnis: async ({ eniIds, tags: wanted, clientToken }) => {
      // Who asks by tag or token looks for what an intent of this node made, and it has none.
      if (wanted !== undefined || clientToken !== undefined) return [];
      return nics().filter(({ id }) => eniIds === undefined || eniIds.includes(id));
    },
    describeVSwitches: async (ids) => {
      const found = (own.nics ?? []).flatMap(({ vSwitchID: id, ipv4CIDR, ipv6CIDR }) =>
        id === undefined || ipv4CIDR === undefined
          ? []
          : [{ id, zoneId: "", vpcId: "", cidr: ipv4CIDR, availableIpv4: 0, ...(ipv6CIDR === undefined ? {} : { ipv6Cidr: ipv6CIDR }) }],
      );
      return ids.flatMap((id) => found.find((one) => one.id === id) ?? []);
    },
    describeInstanceType: refuse,
    createEni: refuse,
    attachEni: refuse,
    detachEni: refuse,
    deleteEni: refuse,
    assignIpv4: refuse,
    assignIpv6: refuse,
    unassignIpv4: refuse,
    unassignIpv6: refuse,
  };
}
