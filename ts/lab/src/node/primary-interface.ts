import { run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";

/** What a machine's DHCP client and cloud-init learn of the primary ENI. */
export interface PrimaryInterface {
  readonly netns: string;
  readonly ipv4: string;
  /** The vSwitch's, for example 24. */
  readonly ipv4PrefixLength: number;
  readonly ipv4Gateway: string;
  readonly ipv6?: { readonly address: string; readonly prefixLength: number; readonly gateway: string };
}

/** Sets `eth0` up as it is on a fresh instance: the address with the vSwitch's prefix length, the default route through the gateway. */
export async function configurePrimaryInterface(primary: PrimaryInterface): Promise<void> {
  const lines = [
    "link set eth0 up",
    `address replace ${primary.ipv4}/${primary.ipv4PrefixLength} brd + dev eth0`,
    `route replace default via ${primary.ipv4Gateway} dev eth0`,
  ];
  if (primary.ipv6 !== undefined) {
    const { address, prefixLength, gateway } = primary.ipv6;
    // The VPC answers no duplicate-address probe, so there is nothing to wait for.
    lines.push(`address replace ${address}/${prefixLength} dev eth0 nodad`, `route replace ::/0 via ${gateway} dev eth0`);
  }
  await run(inNetNamespace(primary.netns, ["ip", "-batch", "-"]), { input: `${lines.join("\n")}\n` });
}
