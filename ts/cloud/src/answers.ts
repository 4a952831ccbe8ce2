import { canonicalAddress, type Eni, type EniStatus, type EniType, type InstanceLimits, type VSwitch } from "@terway/model";
import { z } from "zod";

/*
 * Decoders of what the cloud answers, names as on the wire. Unknown fields are dropped; lists that the cloud leaves out are empty; numbers may
 * come as text. Addresses and MACs leave here in canonical form.
 */
const number = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]);
const optionalText = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const address = z.string().transform((text, context) => {
  const canonical = canonicalAddress(text.trim());
  if (canonical === undefined) context.addIssue({ code: "custom", message: "is no IP address" });
  return canonical ?? z.NEVER;
});
/** `{ Name: [...] }`, as RPC answers wrap every list; absent and null are empty. */
const list = <K extends string, T extends z.ZodType>(name: K, item: T) =>
  z
    .object({ [name]: z.array(item).nullish() })
    .nullish()
    .transform((wrapped) => wrapped?.[name] ?? []);

const statuses: readonly EniStatus[] = ["Creating", "Available", "Attaching", "InUse", "Detaching", "Deleting"];
const types: readonly EniType[] = ["Primary", "Secondary", "Trunk", "Member"];

const eniFields = z.object({
  NetworkInterfaceId: z.string().min(1),
  MacAddress: z.string().min(1),
  Status: z.string(),
  Type: z.string(),
  ZoneId: z.string(),
  VSwitchId: z.string(),
  InstanceId: optionalText,
  Attachment: z.object({ InstanceId: optionalText, TrunkNetworkInterfaceId: optionalText, DeviceIndex: number.nullish() }).nullish(),
  CreationTime: optionalText,
  PrivateIpAddress: optionalText,
  SecurityGroupIds: list("SecurityGroupId", z.string()),
  PrivateIpSets: list("PrivateIpSet", z.object({ PrivateIpAddress: address, Primary: z.boolean().nullish() })),
  Ipv6Sets: list("Ipv6Set", z.object({ Ipv6Address: address })),
  Tags: list("Tag", z.object({ TagKey: z.string(), TagValue: z.string().nullish() })),
});

const eniAnswer = eniFields.transform((raw, context): Eni => {
  const ipv4 = raw.PrivateIpSets.map((item) => item.PrivateIpAddress);
  const primary =
    raw.PrivateIpSets.find((item) => item.Primary)?.PrivateIpAddress ??
    (raw.PrivateIpAddress && canonicalAddress(raw.PrivateIpAddress)) ??
    ipv4[0];
  if (!primary) {
    context.addIssue({ code: "custom", message: "the ENI has no primary address" });
    return z.NEVER;
  }
  const instanceId = raw.InstanceId ?? raw.Attachment?.InstanceId;
  const { TrunkNetworkInterfaceId: trunkId, DeviceIndex: vlanId } = raw.Attachment ?? {};
  const createdAtMs = Date.parse(raw.CreationTime ?? "");
  return {
    id: raw.NetworkInterfaceId,
    mac: raw.MacAddress.toLowerCase(),
    // A word that is not known must never read as usable or as free (reference: fault F52).
    status: statuses.find((status) => status === raw.Status) ?? "Creating",
    type: types.find((type) => type === raw.Type) ?? "Member",
    zoneId: raw.ZoneId,
    vSwitchId: raw.VSwitchId,
    securityGroupIds: raw.SecurityGroupIds,
    ...(instanceId === undefined ? {} : { instanceId }),
    primaryIpv4: primary,
    ipv4: ipv4.includes(primary) ? ipv4 : [primary, ...ipv4],
    ipv6: raw.Ipv6Sets.map((item) => item.Ipv6Address),
    tags: Object.fromEntries(raw.Tags.map((tag) => [tag.TagKey, tag.TagValue ?? ""])),
    ...(trunkId === undefined ? {} : { trunkId, ...(vlanId ? { vlanId } : {}) }),
    ...(Number.isNaN(createdAtMs) ? {} : { createdAtMs }),
  };
});

export const createNetworkInterfaceAnswer = eniAnswer;

export const describeNetworkInterfacesAnswer = z
  .object({ NextToken: optionalText, NetworkInterfaceSets: list("NetworkInterfaceSet", eniAnswer) })
  .transform((raw) => ({ enis: raw.NetworkInterfaceSets, nextToken: raw.NextToken }));

export const describeInstanceTypesAnswer = z
  .object({
    InstanceTypes: list(
      "InstanceType",
      z
        .object({
          InstanceTypeId: z.string(),
          EniQuantity: number,
          EniTotalQuantity: number.nullish(),
          EniPrivateIpAddressQuantity: number,
          EniIpv6AddressQuantity: number.nullish(),
          EniTrunkSupported: z.boolean().nullish(),
          EriQuantity: number.nullish(),
        })
        .transform(
          (raw): InstanceLimits => ({
            instanceType: raw.InstanceTypeId,
            adapters: raw.EniQuantity,
            totalAdapters: raw.EniTotalQuantity ?? raw.EniQuantity,
            ipv4PerAdapter: raw.EniPrivateIpAddressQuantity,
            ipv6PerAdapter: raw.EniIpv6AddressQuantity ?? 0,
            trunkSupported: raw.EniTrunkSupported ?? false,
            erdmaAdapters: raw.EriQuantity ?? 0,
          }),
        ),
    ),
  })
  .transform((raw) => raw.InstanceTypes);

export const describeVSwitchesAnswer = z
  .object({
    VSwitches: list(
      "VSwitch",
      z
        .object({
          VSwitchId: z.string(),
          ZoneId: z.string(),
          VpcId: z.string(),
          CidrBlock: z.string(),
          Ipv6CidrBlock: optionalText,
          AvailableIpAddressCount: number,
        })
        .transform(
          (raw): VSwitch => ({
            id: raw.VSwitchId,
            zoneId: raw.ZoneId,
            vpcId: raw.VpcId,
            cidr: raw.CidrBlock,
            ...(raw.Ipv6CidrBlock === undefined ? {} : { ipv6Cidr: raw.Ipv6CidrBlock }),
            availableIpv4: raw.AvailableIpAddressCount,
          }),
        ),
    ),
  })
  .transform((raw) => raw.VSwitches);

export const assignPrivateIpAddressesAnswer = z
  .object({ AssignedPrivateIpAddressesSet: z.object({ PrivateIpSet: list("PrivateIpAddress", address) }) })
  .transform((raw) => raw.AssignedPrivateIpAddressesSet.PrivateIpSet);

export const assignIpv6AddressesAnswer = z.object({ Ipv6Sets: list("Ipv6Address", address) }).transform((raw) => raw.Ipv6Sets);

/** Of operations that answer nothing but a request id. */
export const emptyAnswer = z.object({}).transform(() => undefined);
