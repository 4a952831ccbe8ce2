import { run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";

/** Of the two families, and of the links only ENIs outlive the loss of power: everything else was made by software. */
const script = `
for family in -4 -6; do
  ip $family rule flush
  ip $family rule add pref 32766 lookup main
done
ip -4 rule add pref 32767 lookup default
nft flush ruleset
for device in $(ip -json link show | grep -o '"ifname":"[^"]*"' | cut -d'"' -f4); do
  case $device in
    lo) ;;
    eth*)
      tc qdisc del dev $device clsact 2>/dev/null || true
      ip link set dev $device alias '' down
      ip address flush dev $device
      ;;
    # The kernel takes links of dead pods away at the same time.
    *) ip link del dev $device 2>/dev/null || true ;;
  esac
done
ip -4 route flush table all 2>/dev/null || true
ip -6 route flush table all 2>/dev/null || true
ip link set lo down
ip link set lo up
`;

/** Makes a machine's network what it is when power comes back: ENIs without configuration, and nothing beside them. */
export async function losePower(netns: string): Promise<void> {
  await run(inNetNamespace(netns, ["sh", "-e"]), { input: script });
}
