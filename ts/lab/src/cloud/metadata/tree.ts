import { gatewayOf, knownCidr, netmask } from "../ip.ts";
import type { Instance, NetworkInterface } from "../records.ts";
import type { CloudState } from "../state.ts";

/** A file, or a directory. */
export type MetadataNode = string | MetadataDirectory;
export interface MetadataDirectory {
  readonly [name: string]: MetadataNode | undefined;
}

/** What stands under `/latest/meta-data/` for one instance. Names without a value do not exist. */
export function metadataTree(view: CloudState, instance: Instance, hidden: (eni: NetworkInterface) => boolean): MetadataDirectory {
  const enis = [...view.enis.values()]
    .filter((eni) => eni.instanceId === instance.id && eni.type !== "Member" && eni.status === "InUse" && !hidden(eni))
    .sort((a, b) => (a.deviceIndex ?? 0) - (b.deviceIndex ?? 0));
  const primary = enis.find((eni) => eni.id === instance.primaryEniId);
  const { settings } = view;
  return {
    "instance-id": instance.id,
    instance: { "instance-type": instance.type, "instance-name": instance.name },
    "region-id": settings.regionId,
    "zone-id": instance.zoneId,
    "owner-account-id": settings.accountId,
    "serial-number": instance.id,
    "vpc-id": instance.vpcId,
    "vpc-cidr-block": view.table("vpcs").get(instance.vpcId)?.cidr,
    "vswitch-id": instance.vSwitchId,
    "vswitch-cidr-block": view.vSwitches.get(instance.vSwitchId)?.cidr,
    hostname: instance.hostname,
    mac: primary?.mac,
    "private-ipv4": primary?.primaryIpv4,
    "network-type": "vpc",
    "dns-conf": { nameservers: "100.100.2.136\n100.100.2.138" },
    maintenance: { "active-system-events": "[]" },
    network: { interfaces: { macs: Object.fromEntries(enis.map((eni) => [eni.mac, interfaceDirectory(view, eni)])) } },
    ...(instance.ramRole === undefined ? {} : { ram: { "security-credentials": { [instance.ramRole]: "" } } }),
  };
}

function interfaceDirectory(view: CloudState, eni: NetworkInterface): MetadataDirectory {
  const vSwitch = view.vSwitches.get(eni.vSwitchId);
  const cidr = vSwitch === undefined ? undefined : knownCidr(vSwitch.cidr);
  const ipv6Cidr = vSwitch?.ipv6Cidr;
  const hasIpv6 = ipv6Cidr !== undefined && eni.ipv6.length + eni.ipv6Prefixes.length > 0;
  return {
    "network-interface-id": eni.id,
    "primary-ip-address": eni.primaryIpv4,
    netmask: cidr === undefined ? undefined : netmask(cidr),
    gateway: cidr === undefined ? undefined : gatewayOf(cidr),
    "private-ipv4s": JSON.stringify(eni.ipv4),
    // Not JSON: the addresses stand without quotes. Without an address the file does not exist.
    ipv6s: eni.ipv6.length === 0 ? undefined : `[${eni.ipv6.join(",")}]`,
    "ipv6-gateway": hasIpv6 ? gatewayOf(knownCidr(ipv6Cidr)) : undefined,
    "vswitch-id": eni.vSwitchId,
    "vswitch-cidr-block": vSwitch?.cidr,
    "vswitch-ipv6-cidr-block": hasIpv6 ? ipv6Cidr : undefined,
    "vpc-id": eni.vpcId,
    "vpc-cidr-block": view.table("vpcs").get(eni.vpcId)?.cidr,
    "vpc-ipv6-cidr-blocks": hasIpv6 ? view.table("vpcs").get(eni.vpcId)?.ipv6Cidr : undefined,
  };
}

/** The file's text, or the directory's names, one a line, those of directories with a slash; undefined when there is nothing. */
export function lookUp(tree: MetadataDirectory, path: readonly string[]): string | undefined {
  let node: MetadataNode | undefined = tree;
  for (const name of path) {
    if (typeof node === "string" || node === undefined) return undefined;
    node = Object.hasOwn(node, name) ? node[name] : undefined;
  }
  if (node === undefined || typeof node === "string") return node;
  return Object.entries(node)
    .filter(([, child]) => child !== undefined)
    .map(([name, child]) => (typeof child === "string" ? name : `${name}/`))
    .join("\n");
}
