import { z } from "zod";
import { CommandError, run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";
import { gatewayMac } from "./addresses.ts";

const linksSchema = z.array(z.object({ ifname: z.string(), address: z.string().optional() }));

export interface Link {
  readonly name: string;
  readonly mac: string;
}

export async function listLinks(netns: string): Promise<Link[]> {
  const { stdout } = await run(inNetNamespace(netns, ["ip", "-json", "link", "show"]));
  return linksSchema.parse(JSON.parse(stdout)).map((link) => ({ name: link.ifname, mac: link.address ?? "" }));
}

/** `eth0` for the primary ENI, else the first free `ethN` with N ≥ 1. */
export function nextInterfaceName(primary: boolean, taken: readonly string[]): string {
  if (primary) return "eth0";
  let index = 1;
  while (taken.includes(`eth${index}`)) index += 1;
  return `eth${index}`;
}

export interface EniLink {
  readonly vpcNetns: string;
  /** The VPC's end. */
  readonly port: string;
  readonly hostNetns: string;
  /** The instance's end. */
  readonly ifName: string;
  readonly mac: string;
  readonly mtu: number;
}

/** The pair is born with both ends in place; a move into a namespace would cost an RCU grace period and show a foreign name first. */
export async function createEniLink(link: EniLink): Promise<void> {
  const vpcEnd = ["name", link.port, "address", gatewayMac, "mtu", String(link.mtu)];
  const hostEnd = ["name", link.ifName, "address", link.mac, "mtu", String(link.mtu), "netns", link.hostNetns];
  await run(inNetNamespace(link.vpcNetns, ["ip", "link", "add", ...vpcEnd, "type", "veth", "peer", ...hostEnd]));
  await run(inNetNamespace(link.vpcNetns, ["ip", "link", "set", link.port, "up"]));
}

/** A port without a machine behind it: its frames come from a trunk port and go there. The other end of the pair only gives it a carrier. */
export async function createMemberLink(vpcNetns: string, port: string, mtu: number): Promise<void> {
  const silent = port.replace(/^p-/, "q-");
  const pair = ["name", port, "address", gatewayMac, "mtu", String(mtu), "type", "veth", "peer", "name", silent];
  await run(inNetNamespace(vpcNetns, ["ip", "link", "add", ...pair]));
  await ipBatch(vpcNetns, [`link set ${silent} arp off`, `link set ${silent} up`, `link set ${port} up`]);
}

/** Gone already (the instance's namespace died, and the pair with it) is no error. */
export async function deleteEniLink(vpcNetns: string, port: string): Promise<void> {
  try {
    await run(inNetNamespace(vpcNetns, ["ip", "link", "del", port]));
  } catch (error) {
    if (error instanceof CommandError && /Cannot find device/.test(error.result.stderr)) return;
    throw error;
  }
}

/** Runs lines of `ip -batch` in the namespace; with `gone: "allowed"`, objects that are missing already are no error. */
export async function ipBatch(netns: string, lines: readonly string[], options: { gone?: "allowed" } = {}): Promise<void> {
  if (lines.length === 0) return;
  const force = options.gone === "allowed" ? ["-force"] : [];
  const argv = inNetNamespace(netns, ["ip", ...force, "-batch", "-"]);
  const { code, stdout, stderr } = await run(argv, { input: `${lines.join("\n")}\n`, allow: options.gone === "allowed" ? [1] : [] });
  const serious = stderr
    .split("\n")
    .filter((line) => line !== "" && !/No such (process|file)|Cannot find device|^Command failed/.test(line));
  if (code !== 0 && serious.length > 0) throw new CommandError(argv, { code, stdout, stderr: serious.join("; ") }, `exit status ${code}`);
}
