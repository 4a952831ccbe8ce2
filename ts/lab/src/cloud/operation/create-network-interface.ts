import { z } from "zod";
import { AddressChoice } from "../address-choice.ts";
import { apiError } from "../api-error.ts";
import { requireSlots } from "../eni.ts";
import { clientToken, flag, integer, list, tagList, text } from "../parameters.ts";
import type { NetworkInterface, VSwitchRecord } from "../records.ts";
import { renderEni } from "../render-eni.ts";
import { checkCapacity, checkSecurityGroups } from "../security-groups.ts";
import { eniMac, resourceId } from "../seeded-random.ts";
import { parseTags } from "../tags.ts";
import type { Transaction } from "../transaction.ts";
import { exclusive } from "./exclusive.ts";
import { operation } from "./operation.ts";

const description = z
  .string()
  .min(2)
  .max(256)
  .regex(/^(?!https?:\/\/)/);

const schema = z.object({
  VSwitchId: text,
  SecurityGroupId: text.optional(),
  SecurityGroupIds: list(16).optional(),
  InstanceType: z.enum(["Secondary", "Trunk"]).optional(),
  PrimaryIpAddress: text.optional(),
  PrivateIpAddress: list(10).optional(),
  SecondaryPrivateIpAddressCount: integer(0, 49).optional(),
  Ipv4Prefix: list(10).optional(),
  Ipv4PrefixCount: integer(1, 10).optional(),
  Ipv6Address: list(10).optional(),
  Ipv6AddressCount: integer(0, 10).optional(),
  Ipv6Prefix: list(10).optional(),
  Ipv6PrefixCount: integer(1, 10).optional(),
  Tag: tagList.optional(),
  NetworkInterfaceName: z.string().min(2).max(128).optional(),
  Description: description.optional(),
  ClientToken: clientToken.optional(),
  DeleteOnRelease: flag.optional(),
  SourceDestCheck: flag.optional(),
  NetworkInterfaceTrafficMode: z.enum(["Standard", "HighPerformance"]).optional(),
  QueueNumber: integer(1, 2048).optional(),
  ResourceGroupId: text.optional(),
  BusinessType: text.optional(),
  Visible: flag.optional(),
});
type Parameters = z.infer<typeof schema>;

/** Synchronous: the ENI is Available when the answer is written. */
export const createNetworkInterface = operation({
  action: "CreateNetworkInterface",
  product: "Ecs",
  writes: true,
  delay: "create",
  idempotent: true,
  schema,
  resources: (wire) => ["eni/*", `vswitch/${wire.VSwitchId ?? "*"}`],
  run(parameters, { tx }) {
    const groups = securityGroupIds(parameters);
    exclusive(parameters, "PrivateIpAddress", "SecondaryPrivateIpAddressCount");
    exclusive(parameters, "Ipv4Prefix", "Ipv4PrefixCount");
    exclusive(parameters, "Ipv6Address", "Ipv6AddressCount");
    exclusive(parameters, "Ipv6Prefix", "Ipv6PrefixCount");
    const tags = parseTags(parameters.Tag);
    const vSwitch = tx.vSwitch(parameters.VSwitchId);
    if (vSwitch === undefined) throw apiError("InvalidVSwitchId.NotFound", { id: parameters.VSwitchId });
    if (vSwitch.status !== "Available") throw apiError("IncorrectVSwitchStatus");
    checkSecurityGroups(tx, groups, vSwitch.vpcId);
    // Every instance has one primary ENI, which does not count.
    const secondary = tx.state.enis.size - tx.state.instances.size;
    if (secondary >= tx.state.settings.maxEnis) throw apiError("MaxEniCountExceeded");

    const { DeleteOnRelease, SourceDestCheck, QueueNumber } = parameters;
    const eni: NetworkInterface = {
      ...newEni(tx, vSwitch, chooseAddresses(tx, vSwitch, parameters)),
      type: parameters.InstanceType ?? "Secondary",
      securityGroupIds: groups,
      tags,
      name: parameters.NetworkInterfaceName ?? "",
      description: parameters.Description ?? "",
      deleteOnRelease: DeleteOnRelease ?? true,
      sourceDestCheck: SourceDestCheck ?? false,
      trafficMode: parameters.NetworkInterfaceTrafficMode ?? "Standard",
      resourceGroupId: parameters.ResourceGroupId ?? "",
      ...(QueueNumber === undefined ? {} : { queueNumber: QueueNumber }),
    };
    requireSlots(tx.state, eni);
    tx.putEni(eni);
    checkCapacity(tx.state, groups);
    return renderEni(tx.state, eni);
  },
});

function securityGroupIds({ SecurityGroupId: one, SecurityGroupIds: many }: Parameters): readonly string[] {
  if (one !== undefined && many !== undefined)
    throw apiError("InvalidParameter.Conflict", { name: "SecurityGroupId", other: "SecurityGroupIds" });
  const ids = many ?? (one === undefined ? [] : [one]);
  if (ids.length === 0) throw apiError("MissingParameter", { name: "SecurityGroupId" });
  return ids;
}

type Addresses = Pick<NetworkInterface, "primaryIpv4" | "ipv4" | "ipv6" | "ipv4Prefixes" | "ipv6Prefixes">;

function chooseAddresses(tx: Transaction, vSwitch: VSwitchRecord, parameters: Parameters): Addresses {
  const choice = new AddressChoice(tx, vSwitch);
  // Wanted addresses first, so that a free choice does not take one of them.
  const wantedPrimary = choice.take("ipv4", parameters.PrimaryIpAddress === undefined ? [] : [parameters.PrimaryIpAddress]);
  const wantedIpv4 = choice.take("ipv4", parameters.PrivateIpAddress ?? []);
  const wantedIpv6 = choice.take("ipv6", parameters.Ipv6Address ?? []);
  const wantedIpv4Prefixes = choice.takePrefixes("ipv4", parameters.Ipv4Prefix ?? []);
  const wantedIpv6Prefixes = choice.takePrefixes("ipv6", parameters.Ipv6Prefix ?? []);
  const picked = choice.pick("ipv4", 1 - wantedPrimary.length + (parameters.SecondaryPrivateIpAddressCount ?? 0));
  const [primaryIpv4 = "", ...secondary] = [...wantedPrimary, ...picked];
  return {
    primaryIpv4,
    ipv4: [primaryIpv4, ...wantedIpv4, ...secondary],
    ipv6: [...wantedIpv6, ...choice.pick("ipv6", parameters.Ipv6AddressCount ?? 0)],
    ipv4Prefixes: [...wantedIpv4Prefixes, ...choice.pickPrefixes("ipv4", parameters.Ipv4PrefixCount ?? 0)],
    ipv6Prefixes: [...wantedIpv6Prefixes, ...choice.pickPrefixes("ipv6", parameters.Ipv6PrefixCount ?? 0)],
  };
}

/** An unattached ENI with new id and MAC, everything else at its default. */
export function newEni(tx: Transaction, vSwitch: VSwitchRecord, addresses: Addresses): NetworkInterface {
  let mac = eniMac(tx.random);
  while (tx.state.macs.has(mac)) mac = eniMac(tx.random);
  return {
    id: resourceId(tx.random, "eni"),
    mac,
    type: "Secondary",
    status: "Available",
    vpcId: vSwitch.vpcId,
    vSwitchId: vSwitch.id,
    zoneId: vSwitch.zoneId,
    ...addresses,
    releasing: [],
    securityGroupIds: [],
    tags: {},
    name: "",
    description: "",
    deleteOnRelease: true,
    sourceDestCheck: false,
    trafficMode: "Standard",
    resourceGroupId: "",
    serviceManaged: false,
    createdMs: tx.nowMs,
  };
}
