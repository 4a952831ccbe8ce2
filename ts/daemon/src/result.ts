import type { Attachment, AttachResult, CniVersion, FamilyAddress } from "@terway/model";
import type { PreviousResult } from "./plugin-conf.ts";

/** Next hops inside a pod whose packets all pass its node; the host end answers for both. Source: Terway's policy-route end state. */
const throughNode = { ipv4: "169.254.1.1", ipv6: "fe80::1" } as const;

interface ResultInterface {
  readonly name: string;
  readonly mac: string;
  /** Specification 1.1.0. */
  readonly mtu?: number;
  /** Path of the namespace; absent for what lives on the host. */
  readonly sandbox?: string;
}

interface ResultAddress {
  /** Specifications before 1.0.0. */
  readonly version?: "4" | "6";
  readonly address: string;
  readonly gateway: string;
  readonly interface: number;
}

interface ResultRoute {
  readonly dst: string;
  readonly gw: string;
}

/** What the executable prints after ADD. Parts of a previous result are passed on as they came. */
export interface CniResult {
  readonly cniVersion: CniVersion;
  readonly interfaces: readonly unknown[];
  readonly ips: readonly unknown[];
  readonly routes?: readonly unknown[];
  readonly dns?: unknown;
}

const beforeOne = (version: CniVersion) => version.startsWith("0.");

/**
 * The result in the configuration's own version: host end, if there is one, and pod end with their MACs, addresses with the vSwitch's prefix and
 * gateway, the routes as they stand in the pod. In a chain it is the previous result with ours appended.
 */
export function buildResult(input: {
  readonly cniVersion: CniVersion;
  readonly attachment: Attachment;
  readonly attached: Pick<AttachResult, "hostIfName" | "hostMac" | "podMac">;
  readonly dns?: unknown;
  readonly previous?: PreviousResult;
}): CniResult {
  const { cniVersion, attachment, attached, previous } = input;
  const mtu = cniVersion === "1.1.0" ? { mtu: attachment.mtu } : {};
  const interfaces: ResultInterface[] = [
    // An ENI in the pod without a pair beside it has nothing on the host.
    ...(attached.hostIfName === "" ? [] : [{ name: attached.hostIfName, mac: attached.hostMac, ...mtu }]),
    { name: attachment.ifName, mac: attached.podMac, ...mtu, sandbox: attachment.netns },
  ];
  const podIndex = (previous?.interfaces?.length ?? 0) + interfaces.length - 1;
  const address = (family: FamilyAddress, version: "4" | "6"): ResultAddress => ({
    ...(beforeOne(cniVersion) ? { version } : {}),
    address: `${family.address}/${family.prefixLength}`,
    gateway: family.gateway,
    interface: podIndex,
  });
  const ips: ResultAddress[] = [];
  if (attachment.ipv4) ips.push(address(attachment.ipv4, "4"));
  if (attachment.ipv6) ips.push(address(attachment.ipv6, "6"));
  const routes = [...(previous?.routes ?? []), ...podRoutes(attachment)];
  const dns = input.dns ?? previous?.dns;
  return {
    ...previous,
    cniVersion,
    interfaces: [...(previous?.interfaces ?? []), ...interfaces],
    ips: [...(previous?.ips ?? []), ...ips],
    ...(routes.length > 0 ? { routes } : {}),
    ...(dns === undefined ? {} : { dns }),
  };
}

function podRoutes(attachment: Attachment): ResultRoute[] {
  const routes: ResultRoute[] = [];
  const [ipv4, ipv6] = [nextHop(attachment, "ipv4"), nextHop(attachment, "ipv6")];
  if (attachment.defaultRoute && ipv4) routes.push({ dst: "0.0.0.0/0", gw: ipv4 });
  if (attachment.defaultRoute && ipv6) routes.push({ dst: "::/0", gw: ipv6 });
  for (const dst of attachment.extraRoutes) {
    const gw = dst.includes(":") ? ipv6 : ipv4;
    if (gw) routes.push({ dst, gw });
  }
  return routes;
}

function nextHop(attachment: Attachment, family: "ipv4" | "ipv6"): string | undefined {
  const isRouted = attachment.mode === "policy_route" || attachment.mode === "netkit";
  return attachment[family] && (isRouted ? throughNode[family] : attachment[family].gateway);
}
