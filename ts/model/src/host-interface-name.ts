import { createHash } from "node:crypto";

/**
 * Name of the host end of a pod interface: `cali` and the first 11 hex digits of SHA-1 over `namespace.pod`, with the interface name
 * appended for every interface but eth0. Same as Terway and Calico, so that tools find it.
 */
export function hostInterfaceName(namespace: string, pod: string, ifName = "eth0"): string {
  const suffix = ifName === "eth0" ? "" : ifName;
  return `cali${createHash("sha1").update(`${namespace}.${pod}${suffix}`).digest("hex").slice(0, 11)}`;
}
