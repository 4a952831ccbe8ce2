import type { CloudErrorClass } from "./cloud.ts";

/** What one group of the cloud's error codes means for us. The only place where the cloud's codes are written. */
export interface CloudErrorEntry {
  /** Our stable name. */
  readonly id: string;
  readonly class: CloudErrorClass;
  /** The cloud's codes; each stands for its dotted extensions too (`Throttling` for `Throttling.User`). Case does not count. */
  readonly codes: readonly string[];
  /** What the documents and users call it, where that is another name. */
  readonly documentNames?: readonly string[];
  /** The kind of thing that the message names. */
  readonly about: "vSwitch" | "security group" | "ENI" | "instance" | "address" | "account" | "request" | "service";
  /** Sentence with `{resource}`. */
  readonly what: string;
  readonly next: string;
}

/** Sources: reference of ECS and VPC error codes; own codes (no dots, no cloud origin) in the last group. */
export const cloudErrorTable = [
  // Addresses and quotas.
  {
    id: "vswitch_exhausted",
    class: "exhausted",
    codes: ["InvalidVSwitchId.IpNotEnough", "QuotaExceeded.PrivateIpAddress"],
    about: "vSwitch",
    what: "vSwitch {resource} has no free address",
    next: "Add a vSwitch of the same zone to `vswitches` in eni_conf, or free addresses; it is tried again after a rest.",
  },
  {
    id: "vswitch_fragmented",
    class: "exhausted",
    codes: ["InvalidVSwitchId.IpPrefixNotEnough", "InvalidOperation.IpPrefixNotEnough"],
    about: "vSwitch",
    what: "vSwitch {resource} has no free block of addresses",
    next: "Reserve a CIDR for prefixes in the vSwitch, or add a vSwitch to `vswitches` in eni_conf.",
  },
  {
    id: "eni_quota_account",
    class: "quota",
    codes: ["MaxEniCountExceeded", "QuotaExceeded.Eni"],
    documentNames: ["QuotaExceeded.Eni"],
    about: "account",
    what: "the account may not have more ENIs in this region",
    next: "Ask for a higher ENI quota in the Quota Center, or delete ENIs that are not in use.",
  },
  {
    id: "eni_quota_instance",
    class: "quota",
    codes: ["EniPerInstanceLimitExceeded", "InvalidOperation.EniCountExceeded"],
    documentNames: ["QuotaExceeded.Eni"],
    about: "instance",
    what: "the instance cannot take another ENI ({resource})",
    next: "Use a larger instance type or fewer pods on this node; ENIs attached by others count too.",
  },
  {
    id: "address_quota_eni",
    class: "quota",
    codes: ["InvalidOperation.Ipv4CountExceeded", "InvalidOperation.Ipv6CountExceeded", "MaxEniIpv6IpsCountExceeded"],
    about: "ENI",
    what: "{resource} cannot hold more addresses",
    next: "Nothing to do: the limits of the instance type are read again and another ENI is used.",
  },
  {
    id: "security_group_full",
    class: "quota",
    codes: ["SecurityGroupInstanceLimitExceed"],
    about: "security group",
    what: "security group {resource} is full",
    next: "Set another group in `security_groups` of eni_conf, or use an advanced security group, which counts ENIs instead of addresses.",
  },
  {
    id: "quota_other",
    class: "quota",
    codes: ["QuotaExceeded", "QuotaExceed", "LimitExceeded"],
    about: "account",
    what: "a quota of the account is used up ({resource})",
    next: "Look the quota up in the Quota Center and ask for more.",
  },
  // Who may call.
  {
    id: "throttled",
    class: "throttled",
    codes: ["Throttling"],
    about: "service",
    what: "too many calls of this operation in this minute, counted over the whole account and region",
    next: "Nothing to do: calls are slowed down and repeated. When it lasts, lower `rate_limit` in eni_conf or ask for a higher quota.",
  },
  {
    id: "access_key_unknown",
    class: "denied",
    codes: ["InvalidAccessKeyId"],
    documentNames: ["InvalidAccessKeyId"],
    about: "account",
    what: "the AccessKey id is unknown or disabled",
    next: "Set a valid `access_key` in eni_conf, or remove it so that the RAM role of the instance is used.",
  },
  {
    id: "access_secret_wrong",
    class: "denied",
    codes: ["SignatureDoesNotMatch", "IncompleteSignature", "InvalidAccessKeySecret"],
    documentNames: ["InvalidAccessKeySecret"],
    about: "account",
    what: "the signature is wrong, which means that the AccessKey secret does not belong to the AccessKey id",
    next: "Set the right `access_secret` in eni_conf.",
  },
  {
    id: "security_token_invalid",
    class: "denied",
    codes: ["InvalidSecurityToken", "MissingSecurityToken"],
    about: "account",
    what: "the short-lived credentials are expired or malformed",
    next: "Nothing to do when it happens once: they are fetched again. When it lasts, check the RAM role of the instance and the clock of the node.",
  },
  {
    id: "clock_skew",
    class: "denied",
    codes: ["InvalidTimeStamp"],
    about: "instance",
    what: "the clock of the node is more than 15 minutes off",
    next: "Set the clock; run an NTP client on the node.",
  },
  {
    id: "permission_missing",
    class: "denied",
    codes: ["Forbidden.RAM", "Forbidden", "NoPermission", "UnauthorizedOperation"],
    documentNames: ["Forbidden.RAM", "Forbidden.Ram.User"],
    about: "account",
    what: "the RAM policy does not allow this operation",
    next: "Attach the policy of docs/reference/ram-policy.md to the RAM role or user.",
  },
  {
    id: "account_problem",
    class: "denied",
    codes: ["InvalidUserType.NotSupported", "Abs.InvalidAccount.NotFound", "InvalidAccountStatus", "Account.Arrearage"],
    about: "account",
    what: "the account cannot use this service",
    next: "Look at the state of the account in the console.",
  },
  // Names and values that are wrong.
  {
    id: "vswitch_unknown",
    class: "invalid",
    codes: ["InvalidVSwitchId.NotFound", "InvalidVSwitchId"],
    documentNames: ["InvalidVSwitchId.NotFound"],
    about: "vSwitch",
    what: "vSwitch {resource} does not exist in this region",
    next: "Correct `vswitches` in eni_conf.",
  },
  {
    id: "security_group_unknown",
    class: "invalid",
    codes: ["InvalidSecurityGroupId", "InvalidSecurityGroup"],
    documentNames: ["InvalidSecurityGroup.NotFound"],
    about: "security group",
    what: "security group {resource} does not exist in this region",
    next: "Correct `security_group` and `security_groups` in eni_conf.",
  },
  {
    id: "security_group_unfit",
    class: "invalid",
    codes: ["InvalidSecurityGroupId.NotVpc", "EnterpriseGroupLimited"],
    about: "security group",
    what: "security group {resource} belongs to another VPC, or basic and advanced groups are mixed",
    next: "Name groups of one kind and of the node's VPC in `security_groups` of eni_conf.",
  },
  {
    id: "ipv6_not_available",
    class: "invalid",
    codes: ["InvalidVSwitch.Ipv6NotTurnOn", "InvalidOperation.Ipv6NotSupport"],
    about: "vSwitch",
    what: "{resource} has no IPv6, or the instance type has none",
    next: "Switch IPv6 on in the VPC and the vSwitch, use an instance type with IPv6, or set `ip_stack: ipv4` in eni_conf.",
  },
  {
    id: "resource_group_unknown",
    class: "invalid",
    codes: ["InvalidResourceGroup", "InvalidResourceGroupId"],
    about: "request",
    what: "the resource group does not exist",
    next: "Correct `resource_group_id` in eni_conf.",
  },
  {
    id: "tags_invalid",
    class: "invalid",
    codes: ["Duplicate.TagKey", "InvalidTagKey", "InvalidTagValue", "QuotaExceed.Tags", "QuotaExceeded.Tags"],
    about: "request",
    what: "the tags are not accepted",
    next: "Correct `eni_tags` in eni_conf.",
  },
  {
    id: "region_invalid",
    class: "invalid",
    codes: ["InvalidRegionId", "Forbidden.RegionId", "InvalidOperation.InvalidRegion"],
    about: "request",
    what: "the region is wrong or closed for the account",
    next: "Check `region-id` of the instance metadata and the endpoint.",
  },
  {
    id: "instance_type_unknown",
    class: "invalid",
    codes: ["InvalidInstanceType"],
    about: "instance",
    what: "instance type {resource} is unknown in this region",
    next: "Check `instance/instance-type` of the instance metadata.",
  },
  {
    id: "address_outside",
    class: "invalid",
    codes: ["InvalidVSwitchId.IpInvalid", "InvalidIp.Address", "InvalidIp"],
    about: "address",
    what: "the address is not one that the vSwitch can give ({resource})",
    next: "Report it with the log of the daemon.",
  },
  {
    id: "eni_unfit",
    class: "invalid",
    codes: [
      "InvalidOperation.AvailabilityZoneMismatch",
      "InvalidOperation.VpcMismatch",
      "InvalidOperation.InvalidEniType",
      "InvalidOperation.DetachPrimaryEniNotAllowed",
      "InvalidOperation.EniServiceManaged",
      "InvalidParameter.InvalidEniQueueNumber",
      "InvalidOperation.MaxEniQueueNumberExceeded",
      "InvalidOperation.ExceedInstanceTypeQueueNumber",
    ],
    about: "ENI",
    what: "{resource} does not fit this instance or operation",
    next: "Name vSwitches of the node's own zone and VPC in `vswitches` of eni_conf.",
  },
  {
    id: "hot_plug_unsupported",
    class: "invalid",
    codes: ["InvalidOperation.EniHotPlugNotSupported", "InvalidOperation.HotPlugNotSupport", "InvalidOperation.InvalidGeneration"],
    about: "instance",
    what: "this instance type cannot take an ENI while it runs",
    next: "Use an instance type that can.",
  },
  {
    id: "request_invalid",
    class: "invalid",
    codes: [
      "InvalidParameter",
      "InvalidParams",
      "MissingParameter",
      "UnsupportedParameter",
      "InvalidAction",
      "InvalidApi",
      "InvalidInstanceId.Malformed",
    ],
    about: "request",
    what: "the cloud refuses the request as malformed",
    next: "Report it with the request id.",
  },
  // Objects in another state than expected.
  {
    id: "eni_gone",
    class: "gone",
    codes: ["InvalidEniId", "InvalidNetworkInterfaceId"],
    about: "ENI",
    what: "{resource} does not exist any more",
    next: "Nothing to do: the node's ENIs are read again. When nobody deleted it by hand, report it.",
  },
  {
    id: "instance_gone",
    class: "gone",
    codes: ["InvalidEcsId", "InvalidInstanceId"],
    about: "instance",
    what: "instance {resource} does not exist any more",
    next: "Nothing to do: the node is going away.",
  },
  {
    id: "address_gone",
    class: "gone",
    codes: ["InvalidIp.IpUnassigned"],
    about: "address",
    what: "the address is not on this ENI ({resource})",
    next: "Nothing to do: it is gone already.",
  },
  {
    id: "address_taken",
    class: "conflict",
    codes: ["InvalidIp.IpAssigned", "InvalidIp.IpRepeated", "InvalidPrivateIpAddress.Duplicated"],
    about: "address",
    what: "the address is taken already ({resource})",
    next: "Nothing to do: the ENI is read again.",
  },
  {
    id: "eni_state",
    class: "conflict",
    codes: [
      "InvalidOperation.InvalidEniState",
      "InvalidOperation.EniLinked",
      "InvalidParameter.EniNotBelongEcs",
      "InvalidOperation.HasMemberEniAttached",
    ],
    about: "ENI",
    what: "{resource} is in another state than this operation needs",
    next: "Nothing to do: the ENI is read again. When it lasts, look at the ENI in the console.",
  },
  {
    id: "instance_state",
    class: "conflict",
    codes: ["InvalidOperation.InvalidEcsState", "IncorrectInstanceStatus"],
    about: "instance",
    what: "the instance is starting, stopping or migrating ({resource})",
    next: "Nothing to do: it is tried again.",
  },
  {
    id: "vpc_state",
    class: "conflict",
    codes: ["IncorrectVSwitchStatus", "IncorrectVpcStatus"],
    about: "vSwitch",
    what: "{resource} is being changed by another operation",
    next: "Nothing to do: it is tried again.",
  },
  {
    id: "busy",
    class: "conflict",
    codes: ["Operation.Conflict", "OperationConflict", "InvalidOperation.Conflict"],
    about: "ENI",
    what: "another operation runs on {resource} or its instance",
    next: "Nothing to do: it is tried again after a moment.",
  },
  {
    id: "token_reused",
    class: "conflict",
    codes: ["IdempotentParameterMismatch", "IdempotenceParamNotMatch", "IdempotentFailed"],
    about: "request",
    what: "the client token was used before with other parameters, or its first call failed",
    next: "Nothing to do: what exists is read, then a new token is used.",
  },
  // The service itself.
  {
    id: "service_unavailable",
    class: "transient",
    codes: ["ServiceUnavailable", "SignatureNonceUsed"],
    about: "service",
    what: "the cloud's service is not available at the moment",
    next: "Nothing to do: it is tried again. When it lasts, look at the status page of the region.",
  },
  {
    id: "internal_error",
    class: "unknown",
    codes: ["InternalError"],
    about: "service",
    what: "the cloud failed inside and may have done the work or not",
    next: "Nothing to do: what exists is read, or the same request is sent again. When it lasts, report the request id to the cloud's support.",
  },
  // Our own codes, where no answer of the cloud came.
  {
    id: "connection_refused",
    class: "transient",
    codes: ["ConnectionRefused", "NameNotResolved", "NetworkUnreachable"],
    about: "service",
    what: "the endpoint cannot be reached",
    next: "Check the endpoint, DNS and routes of the node; a cluster without Internet access needs the VPC endpoints.",
  },
  {
    id: "not_sent",
    class: "transient",
    codes: ["NotSent"],
    about: "service",
    what: "the call was given up before it was sent, while it waited for its turn",
    next: "Nothing to do: it is tried again. When it lasts, raise `rate_limit` in eni_conf, if the account's quota allows.",
  },
  {
    id: "no_answer",
    class: "unknown",
    codes: ["ConnectionReset", "Timeout", "UnreadableAnswer", "UnexpectedAnswer", "Aborted"],
    about: "service",
    what: "no usable answer came, and the work may have been done or not",
    next: "Nothing to do: what exists is read, or the same request is sent again. When it lasts, check the way from the node to the endpoint.",
  },
  {
    id: "vswitch_zone",
    class: "invalid",
    codes: ["NoVSwitchInZone"],
    about: "vSwitch",
    what: "no configured vSwitch lies in zone {resource}, so no ENI can be created",
    next: "Add a vSwitch of this zone to `vswitches` in eni_conf.",
  },
  {
    id: "credentials_unavailable",
    class: "denied",
    codes: ["CredentialsUnavailable", "InvalidCredentials"],
    about: "account",
    what: "there are no credentials to call the cloud with",
    next: "Set `access_key` and `access_secret` in eni_conf, or attach a RAM role to the instance.",
  },
] as const satisfies readonly CloudErrorEntry[];
export type CloudErrorId = (typeof cloudErrorTable)[number]["id"];

const byCode = new Map<string, CloudErrorEntry>(
  cloudErrorTable.flatMap((entry) => entry.codes.map((code): [string, CloudErrorEntry] => [code.toLowerCase(), entry])),
);

/** The entry of a code: the whole code first, then without its last dotted part, and so on. Any code with "Throttling" in it is throttled. */
export function cloudErrorEntry(code: string): CloudErrorEntry | undefined {
  let rest = code.toLowerCase();
  for (;;) {
    const entry = byCode.get(rest);
    if (entry !== undefined) return entry;
    const dot = rest.lastIndexOf(".");
    if (dot < 0) break;
    rest = rest.slice(0, dot);
  }
  return code.toLowerCase().includes("throttling") ? byCode.get("throttling") : undefined;
}

/** The code with the name that documents use for it, where that is another: `MaxEniCountExceeded, in the documents QuotaExceeded.Eni`. */
export function cloudErrorName(code: string): string {
  const names = cloudErrorEntry(code)?.documentNames ?? [];
  if (names.some((name) => code.toLowerCase().startsWith(name.toLowerCase()))) return code;
  return names[0] === undefined ? code : `${code}, in the documents ${names[0]}`;
}
