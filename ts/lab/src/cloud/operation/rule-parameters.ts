import { z } from "zod";
import { apiError } from "../api-error.ts";
import { familyOf, formatCidr, parseAddress, parseCidr } from "../ip.ts";
import { text } from "../parameters.ts";
import type { SecurityGroup, SecurityGroupRule } from "../records.ts";
import type { Transaction } from "../transaction.ts";

type Direction = SecurityGroupRule["direction"];
/** What makes two rules the same one. */
export type RuleContent = Omit<SecurityGroupRule, "id" | "description" | "createdMs">;

const fields = {
  IpProtocol: text.optional(),
  PortRange: text.optional(),
  SourcePortRange: text.optional(),
  SourceCidrIp: text.optional(),
  Ipv6SourceCidrIp: text.optional(),
  DestCidrIp: text.optional(),
  Ipv6DestCidrIp: text.optional(),
  Policy: text.optional(),
  Priority: text.optional(),
  NicType: text.optional(),
  Description: text.optional(),
};

const ingress = { ...fields, SourceGroupId: text.optional() };
const egress = { ...fields, DestGroupId: text.optional() };

/** A rule as the caller writes it, for either direction. */
type Permission = { readonly [K in keyof typeof ingress | keyof typeof egress]?: string | undefined };

/** `Permissions.N.…`, and the older form with one rule among the parameters themselves. Address books and prefix lists are not simulated. */
export function permissionParameters(direction: Direction) {
  return direction === "ingress"
    ? { ...ingress, Permissions: z.array(z.strictObject(ingress)).max(100).optional() }
    : { ...egress, Permissions: z.array(z.strictObject(egress)).max(100).optional() };
}

export function permissionsOf(
  parameters: Permission & { readonly Permissions?: readonly Permission[] | undefined },
): readonly Permission[] {
  const { Permissions: many } = parameters;
  const one: Permission = Object.fromEntries(
    Object.keys({ ...ingress, ...egress }).map((name) => [name, parameters[name as keyof Permission]]),
  );
  const given = Object.entries(one).find(([, value]) => value !== undefined);
  if (many === undefined) return [one];
  if (given !== undefined) throw apiError("InvalidParameter.Conflict", { name: given[0], other: "Permissions" });
  return many;
}

/** The rule that the caller describes; throws what the documentation says for each mistake. */
export function parseRule(tx: Transaction, group: SecurityGroup, direction: Direction, permission: Permission): RuleContent {
  const protocol = parseProtocol(permission.IpProtocol);
  if (permission.NicType !== undefined && permission.NicType !== "intranet") throw apiError("InvalidNicType.ValueNotSupported");
  if (permission.Description !== undefined && !/^.{1,512}$/s.test(permission.Description))
    throw apiError("InvalidSecurityGroupDiscription.Malformed");
  const { sourceCidr, destCidr } = parseCidrs(permission);
  for (const cidr of [sourceCidr, destCidr]) {
    if (cidr === undefined) continue;
    if (protocol === "ICMP" && familyOf(cidr) === "ipv6") throw apiError("InvalidParam.Ipv4ProtocolConflictWithIpv6Address");
    if (protocol === "ICMPV6" && familyOf(cidr) === "ipv4") throw apiError("InvalidParam.Ipv6ProtocolConflictWithIpv4Address");
  }
  const peerCidr = direction === "ingress" ? sourceCidr : destCidr;
  // Given both, the CIDR counts.
  const peerGroupId = peerCidr === undefined ? parsePeerGroup(tx, group, direction, permission) : undefined;
  const sourcePortRange = parsePorts("SourcePortRange", protocol, permission.SourcePortRange ?? "-1/-1");
  return {
    direction,
    policy: parsePolicy("Policy", permission.Policy ?? "accept"),
    priority: parsePriority(permission.Priority ?? "1"),
    protocol,
    portRange: parsePorts("PortRange", protocol, permission.PortRange),
    ...(permission.SourcePortRange === undefined ? {} : { sourcePortRange }),
    ...(sourceCidr === undefined ? {} : { sourceCidr }),
    ...(destCidr === undefined ? {} : { destCidr }),
    ...(peerGroupId === undefined ? {} : { peerGroupId }),
  };
}

export function sameRule(a: RuleContent, b: RuleContent): boolean {
  return (
    a.direction === b.direction &&
    a.policy === b.policy &&
    a.priority === b.priority &&
    a.protocol === b.protocol &&
    a.portRange === b.portRange &&
    (a.sourcePortRange ?? "-1/-1") === (b.sourcePortRange ?? "-1/-1") &&
    a.sourceCidr === b.sourceCidr &&
    a.destCidr === b.destCidr &&
    a.peerGroupId === b.peerGroupId
  );
}

const protocols: readonly string[] = ["TCP", "UDP", "ICMP", "ICMPV6", "GRE", "ALL"] satisfies SecurityGroupRule["protocol"][];

function parseProtocol(given: string | undefined): SecurityGroupRule["protocol"] {
  if (given === undefined) throw apiError("MissingParameter", { name: "IpProtocol" });
  const name = given.toUpperCase();
  if (!protocols.includes(name)) throw apiError("InvalidIpProtocol.ValueNotSupported");
  // In the list of all of them.
  return name as SecurityGroupRule["protocol"];
}

export function parsePolicy(name: string, given: string): SecurityGroupRule["policy"] {
  const lower = given.toLowerCase();
  if (lower !== "accept" && lower !== "drop") throw apiError("InvalidPolicy.Malformed", { name });
  return lower === "accept" ? "Accept" : "Drop";
}

function parsePriority(given: string): number {
  if (!/^-?\d{1,9}$/.test(given)) throw apiError("InvalidPriority.Malformed");
  const priority = Number(given);
  if (priority < 1 || priority > 100) throw apiError("InvalidPriority.ValueNotSupported");
  return priority;
}

/** TCP and UDP need ports from 1 to 65535, everything else has none. */
function parsePorts(name: string, protocol: SecurityGroupRule["protocol"], given: string | undefined): string {
  if (given === undefined) throw apiError("MissingParameter", { name });
  const match = /^(-1|\d{1,5})\/(-1|\d{1,5})$/.exec(given);
  if (match === null) throw apiError("InvalidParam.PortRange", { name });
  const [from, to] = [Number(match[1]), Number(match[2])];
  const none = from === -1 && to === -1;
  const hasPorts = protocol === "TCP" || protocol === "UDP";
  // A source port range may be left open.
  if (hasPorts ? none && name === "PortRange" : !none) throw apiError("OperationDenied");
  if (!none && (from < 1 || to > 65_535 || from > to)) throw apiError("InvalidParam.PortRange", { name });
  return `${from}/${to}`;
}

function parseCidrs(permission: Permission): { sourceCidr: string | undefined; destCidr: string | undefined } {
  const { SourceCidrIp, Ipv6SourceCidrIp, DestCidrIp, Ipv6DestCidrIp } = permission;
  if (SourceCidrIp !== undefined && Ipv6SourceCidrIp !== undefined) throw apiError("InvalidParam.SourceIp");
  if (DestCidrIp !== undefined && Ipv6DestCidrIp !== undefined) throw apiError("InvalidParam.DestIp");
  if ((SourceCidrIp ?? DestCidrIp) !== undefined && (Ipv6SourceCidrIp ?? Ipv6DestCidrIp) !== undefined) {
    throw apiError("InvalidParameter.Conflict", { name: "IPv4 addresses", other: "IPv6 addresses" });
  }
  return {
    sourceCidr:
      parseCidrOf(SourceCidrIp, "ipv4", "InvalidSourceCidrIp.Malformed") ??
      parseCidrOf(Ipv6SourceCidrIp, "ipv6", "InvalidParam.Ipv6SourceCidrIp"),
    destCidr:
      parseCidrOf(DestCidrIp, "ipv4", "InvalidDestCidrIp.Malformed") ?? parseCidrOf(Ipv6DestCidrIp, "ipv6", "InvalidParam.Ipv6DestCidrIp"),
  };
}

/** A bare address stands for itself alone. */
function parseCidrOf(given: string | undefined, family: "ipv4" | "ipv6", code: Parameters<typeof apiError>[0]): string | undefined {
  if (given === undefined) return undefined;
  const whole = parseAddress(given) === undefined ? given : `${given}/${family === "ipv4" ? 32 : 128}`;
  const cidr = parseCidr(whole);
  if (cidr?.family !== family) throw apiError(code);
  return formatCidr(cidr);
}

function parsePeerGroup(tx: Transaction, group: SecurityGroup, direction: Direction, permission: Permission): string {
  const inward = direction === "ingress";
  const id = inward ? permission.SourceGroupId : permission.DestGroupId;
  if (id === undefined) throw apiError(inward ? "MissingParameter.Source" : "MissingParameter.Dest");
  if (id === group.id) throw apiError(inward ? "InvalidParamter.Conflict" : "InvalidSecurityGroup.IsSame");
  const peer = tx.securityGroup(id);
  if (peer === undefined) throw apiError(inward ? "InvalidSourceGroupId.NotFound" : "InvalidDestGroupId.NotFound");
  if (peer.vpcId !== group.vpcId) throw apiError(inward ? "InvalidSourceGroupId.Mismatch" : "InvalidDestGroupId.Mismatch");
  if (group.type === "enterprise") throw apiError("InvalidOperation.EnterpriseGroupAuthorizeGroup");
  return id;
}
